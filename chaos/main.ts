import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { localFolder } from '../local/toolchain';
import { runChaos, type ChaosReport } from './run-chaos';

// `npm run chaos -- --seed S --minutes M`: faults at random, by a plan that its seed makes again.

const USAGE = `npm run chaos -- [--seed S] [--minutes M] [--json]

  --seed S     which faults: the same seed and minutes give the same plan (default: drawn, and printed)
  --minutes M  how long parts are broken, 0.2 to 10 (default 2)
  --json       findings as one line of JSON

Exit code 0: every invariant held, 3: one did not, 1: it could not be carried out.
`;
const EXIT = { held: 0, brokeOff: 1, usage: 2, broken: 3 } as const;
const LONGEST_MINUTES = 10;
const SHORTEST_MINUTES = 0.2;
const MOST_SEEDS = 1_000_000;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: String(Math.floor(Math.random() * MOST_SEEDS)) },
      minutes: { type: 'string', default: '2' },
      json: { type: 'boolean', default: false },
    },
  });
  const seed = Number(values.seed);
  const minutes = Number(values.minutes);
  if (!Number.isInteger(seed) || seed < 0 || !(minutes >= SHORTEST_MINUTES && minutes <= LONGEST_MINUTES)) {
    process.stderr.write(USAGE);
    return EXIT.usage;
  }
  if (process.platform !== 'linux') throw new Error('NOT RUN: what processes hold is read from /proc, which is Linux');
  const keepIn = join(localFolder(), 'chaos', String(seed));
  const report = await runChaos({
    ...{ seed, seconds: Math.round(minutes * 60), keepIn },
    say: (line) => {
      process.stderr.write(`${line}\n`);
    },
  });
  process.stdout.write(values.json ? `${JSON.stringify(report.findings)}\n` : told(report));
  process.stdout.write(`again: npm run chaos -- --seed ${String(seed)} --minutes ${String(minutes)}\n`);
  process.stdout.write(`records: ${join(keepIn, 'records.json')}\n`);
  return report.findings.every(({ holds }) => holds) ? EXIT.held : EXIT.broken;
}

function told({ findings, records }: ChaosReport): string {
  const { missed, longest } = records.loops.reduce(
    (sum, { missedTicks, servedTicks }) => ({ missed: sum.missed + missedTicks, longest: sum.longest + servedTicks }),
    { missed: 0, longest: 0 },
  );
  return [
    `${String(records.faults.length)} faults; ${String(longest)} ticks served, ${String(missed)} missed and counted`,
    ...findings.map(({ invariant, holds, detail }) => `  ${holds ? 'yes' : 'NO '}: ${invariant} (${detail})`),
    '',
  ].join('\n');
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(EXIT.brokeOff);
  },
);
