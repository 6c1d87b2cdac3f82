import type { Device, PlanSettings } from '../fleet';

/** An EV that was told to wait does not start again at once: contactors and cars wear by each start. */
export const mustGoOnWaiting = (
  { waitsSinceMs }: Pick<Device, 'waitsSinceMs'>,
  nowMs: number,
  { leastWaitSeconds }: Pick<PlanSettings, 'leastWaitSeconds'>,
): boolean => waitsSinceMs !== null && nowMs - waitsSinceMs < leastWaitSeconds * 1000;

/** What is stored with the device for the next cycle. */
export function turnAfter(
  { waitsSinceMs, waitedUntilMs }: Pick<Device, 'waitsSinceMs' | 'waitedUntilMs'>,
  waits: boolean,
  nowMs: number,
): Pick<Device, 'waitsSinceMs' | 'waitedUntilMs'> {
  if (waits) return { waitsSinceMs: waitsSinceMs ?? nowMs, waitedUntilMs };
  return waitsSinceMs === null ? { waitsSinceMs, waitedUntilMs } : { waitsSinceMs: null, waitedUntilMs: nowMs };
}
