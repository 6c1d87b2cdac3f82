import type { FieldFault } from './errors';

/** Limits for one stretch of time, as a source publishes them. */
export interface EnvelopeInterval {
  readonly startsAtMs: number;
  /** Excluded. */
  readonly endsAtMs: number;
  /** kW >= 0; null = says nothing of that side. */
  readonly importLimitKw: number | null;
  readonly exportLimitKw: number | null;
}

/** A week of five-minute intervals. */
export const MOST_INTERVALS = 2_016;

/**
 * Everything that is wrong with what a source publishes for one feeder, with JSON pointers into `/intervals`; empty when
 * it can be taken. Intervals of one source do not overlap; those of several may, and the tightest holds.
 */
export function envelopeFaults(intervals: readonly EnvelopeInterval[]): FieldFault[] {
  return [...intervals.flatMap(intervalFaults), ...overlaps(intervals)];
}

function intervalFaults(interval: EnvelopeInterval, index: number): FieldFault[] {
  const { startsAtMs, endsAtMs, importLimitKw, exportLimitKw } = interval;
  const at = (field: string, message: string): FieldFault => ({
    pointer: `/intervals/${String(index)}${field}`,
    message,
  });
  return [
    ...(endsAtMs > startsAtMs ? [] : [at('/endsAt', 'must be after startsAt')]),
    ...(importLimitKw === null && exportLimitKw === null
      ? [at('', 'limits nothing: give importLimitKw, exportLimitKw or both')]
      : []),
  ];
}

function overlaps(intervals: readonly EnvelopeInterval[]): FieldFault[] {
  const inTime = intervals
    .map((interval, index) => ({ ...interval, index }))
    .sort((a, b) => a.startsAtMs - b.startsAtMs || a.endsAtMs - b.endsAtMs);
  return inTime.flatMap(({ startsAtMs, index }, place) => {
    const before = inTime[place - 1];
    if (before === undefined || before.endsAtMs <= startsAtMs) return [];
    const message = `begins before interval ${String(before.index)} has ended`;
    return [{ pointer: `/intervals/${String(index)}/startsAt`, message }];
  });
}
