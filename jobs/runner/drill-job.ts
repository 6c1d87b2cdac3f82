import { z } from 'zod';
import { DrillRefused } from '../../drills/drill';
import type { DrillName } from '../../domain/drills';
import { JobFailure, JobSkipped, type JobContext } from './context';
import { defineJob, type JobDeclaration } from './declaration';
import type { DrillPort } from './ports';

export interface DrillJob {
  readonly drill: DrillName;
  readonly purpose: string;
  /** What a run may ask for; the first is what the schedule runs. */
  readonly scenarios: readonly [string, ...string[]];
  /** Five fields, UTC: staging only. */
  readonly cron: string;
  readonly attemptSeconds: number;
}

const DAY_S = 86_400;
/** A month, and a few days to run one by hand that was refused. */
const WITHIN_DAYS = 35;
/** As its runs say it: where a deployment has nothing that may break the part, nothing is promised of it. */
const NOT_CONFIGURED = 'not-configured';

/**
 * A drill as a job: by itself once a month in staging, elsewhere when somebody asks. It is never tried again by itself; an
 * attempt that was cut short is mended by the next one, which fails with `DRILL_INTERRUPTED`.
 */
export const drillJob = ({ drill, purpose, scenarios, cron, attemptSeconds }: DrillJob): JobDeclaration =>
  defineJob({
    name: `${drill}-drill`,
    purpose,
    input: z.strictObject({
      scenario: z.enum(scenarios).default(scenarios[0]).describe('How the part is lost.'),
    }),
    schedule: (deployment) => (deployment === 'staging' ? { cron, overlap: 'skip', catchUpSeconds: 6 * 3_600 } : null),
    concurrency: { atMost: 1 },
    freshness: (deployment) =>
      deployment === 'staging'
        ? {
            objective: `the drill has passed in the last ${String(WITHIN_DAYS)} days`,
            withinSeconds: WITHIN_DAYS * DAY_S,
            exceptions: { [NOT_CONFIGURED]: { when: 'it is not configured', promise: null } },
          }
        : null,
    runbook: `${drill}-drill.md`,
    attemptSeconds,
    attempts: 2,
    run: async ({ scenario }, context) => {
      const port = portOf(context, drill);
      if (context.attempt > 1) {
        await port.recover(context.runId);
        throw new JobFailure('DRILL_INTERRUPTED', 'an attempt was cut short; what it may have left was undone');
      }
      const { runId, signal, log } = context;
      try {
        const onStep = (note: string): void => {
          log.info({ drill, scenario }, note);
          context.progress({ note });
        };
        const report = await port.run({ scenario, runId, signal, onStep });
        await context.evidence('drill', report);
        if (report.verdict === 'failed') throw new JobFailure('DRILL_FAILED', report.faults.join('; '));
        return report;
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof DrillRefused) throw new JobSkipped(error.message);
        throw error instanceof JobFailure
          ? error
          : new JobFailure('DRILL_BROKE_OFF', messageOf(error), { cause: error });
      }
    },
  });

function portOf({ ports }: JobContext, drill: DrillName): DrillPort {
  const port = ports.drills[drill];
  if (typeof port !== 'string') return port;
  throw new JobSkipped(`${port}. How to turn the drill on: docs/runbooks/${drill}-drill.md`, NOT_CONFIGURED);
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
