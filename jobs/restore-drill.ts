import { z } from 'zod';
import type { DumpManifest } from '../backups/manifest-schema';
import { missedTargets, type DrillReport } from '../backups/restore/drill-report';
import { isDrillDay } from '../backups/restore/drill-days';
import { RestoreFailure, saysTheBackupIsBad } from '../backups/restore/failure';
import { beginReport } from '../backups/restore/run-drill';
import { DermsError } from '../domain/errors';
import { JobFailure, JobSkipped, type JobContext } from './runner/context';
import { defineJob } from './runner/declaration';
import type { RestoreDrillPort } from './runner/ports';

/** As its runs say it: a drill of a large database is seldom. */
const LARGE = 'large-database';
const DAY_S = 86_400;
/** One day more than between two drill days, of which the longest are 92 days apart in production. */
const WEEKLY = { objective: 'a backup was restored in the last 8 days', withinSeconds: 8 * DAY_S };
const PROMISE_OF_LARGE = {
  development: WEEKLY,
  staging: WEEKLY,
  production: { objective: 'a backup was restored in the last 93 days', withinSeconds: 93 * DAY_S },
} as const;

/** Restores the newest backup and shows that the application runs on it. A backup counts only when it was restored. */
export const job = defineJob({
  name: 'restore-drill',
  purpose:
    'Restores the newest backup into a database of its own, compares every row, and boots the application on it.',
  input: z.strictObject({
    backupId: z.uuid().optional().describe('Default: the newest backup in storage.'),
  }),
  schedule: { cron: '40 3 * * *', overlap: 'skip', catchUpSeconds: 6 * 3_600 },
  concurrency: { atMost: 1 },
  freshness: (deployment) => ({
    objective: 'a backup was restored in the last 26 h',
    withinSeconds: 26 * 3_600,
    exceptions: {
      [LARGE]: { when: 'the database is larger than RESTORE_DRILL_MAX_GB', promise: PROMISE_OF_LARGE[deployment] },
    },
  }),
  runbook: 'restore-drill.md',
  attemptSeconds: 12 * 3_600,
  attempts: 3,
  pauseSeconds: 20,
  run: async ({ backupId }, context) => {
    const { now } = context.ports;
    const drill = portOf(context);
    const backup = await named(() => drill.choose(backupId ?? 'latest'));
    skipIfTooLarge(backup, drill, context);
    const report = beginReport(backup, now());
    try {
      await drill.run(
        {
          ...{ backup, runId: context.runId, signal: context.signal },
          onStep: (note) => {
            context.log.info({ backupId: backup.backupId }, `restore drill: ${note}`);
            context.progress({ note });
          },
          onProgress: (doneBytes, totalBytes) => {
            context.progress({ doneBytes, totalBytes, note: 'restore' });
          },
          onLeftBehind: (what) => {
            context.log.warn({ what }, 'the drill could not take everything away');
          },
        },
        report,
      );
    } catch (error) {
      context.signal.throwIfAborted();
      await keep(context, drill, { backup, report, error });
      throw failureOf(error);
    }
    const missed = missedTargets(report, drill.targets);
    await keep(context, drill, { backup, report, error: null });
    if (missed.length > 0) throw new JobFailure('RESTORE_TARGET_MISSED', missed.join('; '));
    return report;
  },
});

function portOf({ ports }: JobContext): RestoreDrillPort {
  const { restoreDrill } = ports;
  if (typeof restoreDrill !== 'string') return restoreDrill;
  throw new JobSkipped(restoreDrill);
}

/** Large databases are drilled more seldom; whoever asks for a drill gets it. */
function skipIfTooLarge(backup: DumpManifest, { maxBytes, deployment }: RestoreDrillPort, context: JobContext): void {
  if (context.scheduleId === null || backup.database.bytes <= maxBytes) return;
  const day = context.nominalAt ?? context.ports.now();
  if (isDrillDay(day, deployment)) return;
  const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;
  const when = deployment === 'production' ? 'on the first of each quarter' : 'on Sundays';
  throw new JobSkipped(
    `the database has ${gigabytes(backup.database.bytes)}, over RESTORE_DRILL_MAX_GB (${gigabytes(maxBytes)}): it is drilled ${when}`,
    LARGE,
  );
}

/** With the run for good, and with the backup, whose state follows from it. */
async function keep(
  context: JobContext,
  drill: RestoreDrillPort,
  { backup, report, error }: { readonly backup: DumpManifest; readonly report: DrillReport; readonly error: unknown },
): Promise<void> {
  const failure = error === null ? null : { code: codeOf(error), message: messageOf(error) };
  const missed = missedTargets(report, drill.targets);
  await context.evidence('restore-drill', { ...report, targets: drill.targets, missed, failure });
  if (error === null || saysTheBackupIsBad(error))
    await drill.record({
      backup,
      report,
      runId: context.runId,
      verdict: error === null ? 'passed' : 'failed',
      failure,
    });
}

async function named<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw failureOf(error);
  }
}

const failureOf = (error: unknown): unknown =>
  error instanceof RestoreFailure ? new JobFailure(error.code, error.message, { cause: error }) : error;

const codeOf = (error: unknown): string =>
  error instanceof RestoreFailure || error instanceof DermsError ? error.code : 'INTERNAL';
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
