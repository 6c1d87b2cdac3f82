import { z } from 'zod';
import { JobSkipped, type JobContext } from './runner/context';
import { defineJob } from './runner/declaration';
import type { ClosedPartition, OutdatedPartition } from './runner/ports';

/** Keeps the time series within their times, and partitions ready for the days to come. */
export const job = defineJob({
  name: 'telemetry-retention',
  purpose:
    'Makes quarter-hour sums of telemetry that is past its time, keeps what stands under a dispatch, removes the rest, and makes the partitions of the coming days.',
  input: z.strictObject({
    dryRun: z.boolean().default(false).describe('Only says what is past its time; nothing is made or removed.'),
  }),
  schedule: { cron: '40 1 * * *', overlap: 'skip', catchUpSeconds: 6 * 3_600 },
  concurrency: { atMost: 1 },
  freshness: { objective: 'time series were brought within their times in the last 26 h', withinSeconds: 26 * 3_600 },
  runbook: 'telemetry-retention.md',
  attemptSeconds: 4 * 3_600,
  attempts: 3,
  run: async ({ dryRun }, context) => {
    const { timeSeries } = context.ports;
    const made = dryRun ? [] : await timeSeries.prepare();
    const outdated = await timeSeries.outdated();
    if (dryRun) return { dryRun, wouldClose: outdatedBySeries(outdated) };
    const heldBackBy = await timeSeries.heldBackBy();
    if (heldBackBy !== null) throw new JobSkipped(`${heldBackBy}; nothing is removed from it`);
    const leftForNextRun = await closeEach(outdated, context);
    const { runLogLines, refusedMessages } = await timeSeries.removeOldLines(context.signal);
    const closed = closedBySeries(await timeSeries.closedBy(context.runId));
    context.log.info(
      { made, closed, leftForNextRun, runLogLines, refusedMessages },
      'time series are within their times',
    );
    return { dryRun, made, closed, leftForNextRun, runLogLines, refusedMessages };
  },
});

/** Returns the names of those that somebody still reads. */
async function closeEach(outdated: readonly OutdatedPartition[], context: JobContext): Promise<string[]> {
  const { runId, signal, log, ports } = context;
  const left: string[] = [];
  for (const [index, { name }] of outdated.entries()) {
    signal.throwIfAborted();
    context.progress({ share: index / outdated.length, note: name });
    const closed = await ports.timeSeries.close(name, { runId, signal });
    if (closed?.removed !== true) left.push(name);
    if (closed?.removed === true) log.info({ ...closed }, 'partition removed');
    else log.warn({ partition: name }, 'something (a dump?) still reads the partition; the next run removes it');
  }
  return left;
}

/** A result has a size limit, and years may be past their time at once: one entry per series. */
const closedBySeries = (closed: readonly ClosedPartition[]) =>
  bySeries(closed, (partitions) => ({
    rows: sum(partitions.map(({ rows }) => rows)),
    carriedRows: sum(partitions.map(({ carriedRows }) => carriedRows)),
    first: partitions[0]?.name,
    last: partitions.at(-1)?.name,
  }));

const outdatedBySeries = (outdated: readonly OutdatedPartition[]) =>
  bySeries(outdated, (partitions) => ({
    rowsAbout: sum(partitions.map(({ rowsAbout }) => rowsAbout)),
    from: partitions[0]?.startsAt,
    to: partitions.at(-1)?.endsAt,
  }));

const bySeries = <P extends { readonly series: string }, T>(partitions: readonly P[], of: (group: readonly P[]) => T) =>
  [...new Set(partitions.map(({ series }) => series))].map((series) => {
    const group = partitions.filter((partition) => partition.series === series);
    return { series, partitions: group.length, ...of(group) };
  });

const sum = (numbers: readonly number[]): number => numbers.reduce((total, next) => total + next, 0);
