import type { LastCycle } from '../../db/control-loop-reads';

interface Rhythm {
  readonly enabled: boolean;
  readonly intervalSeconds: number;
}

/** A loop is well while its last finished cycle is younger than three intervals, or 30 s where intervals are short. */
export const isLoopOk = ({ enabled, intervalSeconds }: Rhythm, finishedAgeSeconds: number | null): boolean =>
  enabled && finishedAgeSeconds !== null && finishedAgeSeconds < Math.max(3 * intervalSeconds, 30);

/**
 * What became of a loop's ticks, `elapsedSeconds` after its row was read. While nobody plans the ticks that pass are
 * missed ones at once, and not only when the next plan finds them: an outage counts while it lasts.
 */
export function loopTicks(
  { enabled, intervalSeconds }: Rhythm,
  { onTimeTicks, lateTicks, missedTicks, tickAgeSeconds }: LastCycle,
  elapsedSeconds: number,
): { readonly onTime: number; readonly late: number; readonly missed: number } {
  const ticksSince = tickAgeSeconds === null ? 0 : Math.floor((tickAgeSeconds + elapsedSeconds) / intervalSeconds);
  const passing = enabled ? Math.max(0, ticksSince - 1) : 0; // the newest may still be served
  return { onTime: onTimeTicks, late: lateTicks, missed: missedTicks + passing };
}
