import type { PlannedFault } from '../../../chaos/plan';
import { runChaos, type ChaosOptions } from '../../../chaos/run-chaos';
import { brokenBuild, type Breakage } from './broken-build';

const SEED = 1;
const SECONDS = 40;

/** For the record: the plan and what came of it stand in the output. */
const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const brokenBy = async (options: Partial<ChaosOptions>): Promise<string[]> => {
  const { findings } = await runChaos({ seed: SEED, seconds: SECONDS, say, ...options });
  for (const { invariant, holds, detail } of findings) say(`${holds ? 'yes' : 'NO '}: ${invariant} (${detail})`);
  return findings.filter(({ holds }) => !holds).map(({ invariant }) => invariant);
};

it('every invariant holds while parts are killed, hung, restarted and cut off at random', async () => {
  expect(await brokenBy({})).toEqual([]);
}, 600_000);

describe('a build with a fault put in on purpose is caught', () => {
  /** PostgreSQL is away, and what was taken meanwhile is lost with the process that took it. */
  const TAKEN_AND_KILLED: readonly PlannedFault[] = [
    { target: 'postgres', kind: 'kill', atSeconds: 2, forSeconds: 14 },
    { target: 'worker-1', kind: 'kill', atSeconds: 12, forSeconds: 1 },
  ];
  const catches = async (breakage: Breakage, plan: readonly PlannedFault[]): Promise<string[]> => {
    const build = brokenBuild(breakage);
    try {
      return await brokenBy({ dist: build.dist, plan, seconds: 18, workers: 1, backupAfter: null });
    } finally {
      build.remove();
    }
  };

  it('one that acknowledges before it commits', async () => {
    const breakage = {
      file: 'ingest/start-ingest.js',
      line: 'intake.receive(topic, payload, sequence, qos);',
      instead: 'intake.receive(topic, payload, sequence, qos); broker.acknowledgeThrough(sequence - 1);',
    };
    expect(await catches(breakage, TAKEN_AND_KILLED)).toContain('every acknowledged reading is stored');
  }, 600_000);

  it('one that publishes setpoints which the broker never forgets', async () => {
    const breakage = {
      file: 'broker/publish-line.js',
      line: 'const properties = { messageExpiryInterval: expirySeconds };',
      instead: 'const properties = {};',
    };
    expect(await catches(breakage, [])).toContain('every setpoint expires by itself');
  }, 600_000);
});
