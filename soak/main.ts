import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { openApplicationDatabase } from '../local/failover/application-database';
import { startTestSystem } from '../local/test-system';
import { localFolder, repositoryRoot } from '../local/toolchain';
import { openSampler, type Sampler } from './sample';
import type { Trend } from './trend';
import { HISTORY_EVENTS, judge, tableOf, type TimedSample } from './verdict';

// `npm run soak -- --hours H`: the whole system under its fleet for hours; what must not grow is judged by its slope.

const USAGE = `npm run soak -- --hours H

  --hours H  how long; fractions are fine (0.05 is three minutes, good for a try and for no verdict)

Exit code 0: nothing grew that should not, 3: something did, 1: it could not be carried out.
`;
const EXIT = { flat: 0, brokeOff: 1, usage: 2, grew: 3 } as const;
const HOUR_MS = 3_600_000;
const REGISTRY = join(repositoryRoot(), 'deploy/registry/demo.yaml');
/** Caches, pools and compiled code: a fifth of the run, at most a quarter of an hour. */
const WARM_UP_SHARE = 0.2;
const LONGEST_WARM_UP_MS = HOUR_MS / 4;
/** About this many samples, not more often than each five seconds and not less often than each minute. */
const SAMPLES = 240;
const SAMPLE_EACH_MS = { least: 5_000, most: 60_000 };

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { hours: { type: 'string', default: '1' } } });
  const hours = Number(values.hours);
  if (!(hours > 0 && hours <= 1_000)) {
    process.stderr.write(USAGE);
    return EXIT.usage;
  }
  if (process.platform !== 'linux') throw new Error('NOT RUN: what processes hold is read from /proc, which is Linux');
  const trends = await soak(hours * HOUR_MS);
  process.stdout.write(`${tableOf(trends)}\n`);
  return trends.every(({ holds }) => holds) ? EXIT.flat : EXIT.grew;
}

async function soak(lengthMs: number): Promise<Trend[]> {
  const system = await startTestSystem({
    temporalData: 'file',
    dynamicConfig: { 'limit.historyCount.suggestContinueAsNew': HISTORY_EVENTS },
  });
  const db = openApplicationDatabase(system, { timeoutMs: 10_000 });
  let sampler: Sampler | undefined;
  try {
    await Promise.all([system.start('api'), system.start('worker')]);
    await system.derms('registry', 'apply', REGISTRY);
    await system.start('simulator', ['--registry', REGISTRY, '--seed', '1']);
    sampler = await openSampler(system, db);
    const samples = await sampled(sampler, lengthMs);
    return judge(samples, Math.min(WARM_UP_SHARE * lengthMs, LONGEST_WARM_UP_MS));
  } finally {
    await sampler?.close();
    await db.close();
    await system.stop();
  }
}

/** Each sample is kept as it comes, so that a run that breaks off leaves what it saw. */
async function sampled(sampler: Sampler, lengthMs: number): Promise<TimedSample[]> {
  const everyMs = Math.min(SAMPLE_EACH_MS.most, Math.max(SAMPLE_EACH_MS.least, lengthMs / SAMPLES));
  const file = join(localFolder(), 'soak.jsonl');
  mkdirSync(localFolder(), { recursive: true });
  writeFileSync(file, '');
  process.stderr.write(`a sample each ${(everyMs / 1_000).toFixed(0)} s; ${file}\n`);
  const samples: TimedSample[] = [];
  const startedAt = performance.now();
  const passedMs = (): number => performance.now() - startedAt;
  for (let number = 0; number * everyMs <= lengthMs; number += 1) {
    await sleep(Math.max(0, number * everyMs - passedMs()));
    try {
      const sample = await sampler.take();
      const atMs = passedMs();
      samples.push({ atMs, sample });
      writeFileSync(file, `${JSON.stringify({ atMs, ...Object.fromEntries(sample) })}\n`, { flag: 'a' });
    } catch (error) {
      process.stderr.write(`a sample could not be taken: ${error instanceof Error ? error.message : String(error)}\n`);
    }
  }
  return samples;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(EXIT.brokeOff);
  },
);
