import { drillCanary } from '../../db/drill-canary';
import type { Database } from '../../db/pool';
import type { Drill, DrillBudget, DrillTools, Finding } from '../drill';
import type { FailoverScenario, PostgresActs } from './acts';

export interface FailoverDrillOptions {
  readonly scenario: FailoverScenario;
  readonly runId: string;
  readonly acts: PostgresActs;
  /** The road that the application takes (`DB_HOST`), with its time limits; closed by the drill. */
  readonly database: Database;
  /** Whether a commit waits for the standby: then no acknowledged row may be lost, else they are counted. */
  readonly synchronous: boolean;
}

interface Story extends Pick<Drill, 'hypothesis' | 'blastRadius'> {
  readonly gapMs: number;
  readonly errors: number | null;
  readonly gauge: Drill['gauge']['expected'];
}

const STORIES: Readonly<Record<FailoverScenario, Story>> = {
  planned: {
    hypothesis: 'A planned switchover makes queries wait for less than a second, and none fails.',
    blastRadius: 'every query waits for up to 1 s',
    gapMs: 1_000,
    errors: 0,
    gauge: 'stays-up',
  },
  crash: {
    hypothesis: 'When the primary is killed, the standby takes writes within 5 s and the alert fires and clears.',
    blastRadius: 'queries fail for up to 5 s; telemetry waits in the broker, devices keep their setpoints',
    gapMs: 5_000,
    errors: null,
    gauge: 'dips',
  },
  hung: {
    hypothesis:
      'When the primary hangs, the standby takes writes within 10 s and the old one takes none when it wakes up.',
    blastRadius: 'queries hang or fail for up to 10 s; telemetry waits in the broker, devices keep their setpoints',
    gapMs: 10_000,
    errors: null,
    gauge: 'dips',
  },
};

const RECOVERY_MS = 60_000;
const CANARY_EVERY_MS = 5;
/** Figure of the report. */
const PEAK = 'peakNewConnectionsPerSecond';

/** A failover of PostgreSQL under a canary that takes the application's own road. */
export function postgresFailover({ scenario, runId, acts, database, synchronous }: FailoverDrillOptions): Drill {
  const { gapMs, errors, gauge, ...story } = STORIES[scenario];
  const budget: DrillBudget = {
    ...{ gapMs, errors, recoveryMs: RECOVERY_MS },
    // Handed over in order nothing is lost, whatever a commit waits for.
    lost: synchronous || scenario === 'planned' ? 0 : null,
  };
  const rows = drillCanary(database, runId);
  return {
    ...{ name: 'postgres-failover', scenario, ...story, budget },
    gauge: { name: 'derms_db_up', expected: gauge },
    canary: {
      write: (seq) => rows.write(seq),
      read: () => rows.newest(),
      missing: (seqs) => rows.missing(seqs),
      everyMs: CANARY_EVERY_MS,
      async close() {
        await rows.remove().catch(() => undefined); // they harm nobody, and the report says more than this would
        await database.close();
        await acts.close();
      },
    },
    act: (tools) => acts.failOver(scenario, tools),
    async aftermath(tools) {
      const fencedBefore = await fenced(acts, 'the old primary takes no write');
      const rejoined = await rejoin(acts, tools);
      const fencedAfter = await fenced(acts, 'the old primary, a standby now, takes no write');
      const peak = acts.peakConnectionsPerSecond();
      if (peak !== null) tools.figure(PEAK, peak);
      return [fencedBefore, rejoined, ...(rejoined.holds ? [fencedAfter] : [])];
    },
    recover: () => acts.recover(),
  };
}

async function fenced(acts: PostgresActs, what: string): Promise<Finding> {
  try {
    return { what, holds: true, detail: await acts.writeOnOldPrimary() };
  } catch (error) {
    return { what, holds: false, detail: messageOf(error) };
  }
}

async function rejoin(acts: PostgresActs, tools: DrillTools): Promise<Finding> {
  const what = 'the old primary streams from the new one';
  const began = performance.now();
  try {
    await acts.rejoin(tools);
    const ms = Math.round(performance.now() - began);
    tools.figure('rejoinMs', ms);
    return { what, holds: true, detail: `after ${String(ms)} ms` };
  } catch (error) {
    tools.signal.throwIfAborted();
    return { what, holds: false, detail: messageOf(error) };
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
