import type { Command } from './fleet';

/**
 * Shortest life of a setpoint, s: two missed telemetry periods of the slowest agents in the field (design, section
 * 5).
 */
const SHORTEST_TTL_SECONDS = 60;
/** A setpoint outlives this many intervals, so that some failed cycles in a row let no device fall to its default. */
const TTL_INTERVALS = 6;
/** Part of its life that a setpoint always has left. */
const RENEWED_WITH_LEFT = 1 / 3;

/** How long a setpoint is valid, s: max(60, 6 x interval). */
export const setpointTtlSeconds = (intervalSeconds: number): number =>
  Math.max(SHORTEST_TTL_SECONDS, TTL_INTERVALS * intervalSeconds);

/**
 * Whether an unchanged setpoint is sent again in this cycle: when by the next one only a third of its life would be
 * left, so that it never gets there. An expired one does not need renewal but a new setpoint.
 */
export function needsRenewal(
  { validUntilMs }: Pick<Command, 'validUntilMs'>,
  { nowMs, ttlSeconds, intervalSeconds }: RenewalTimes,
): boolean {
  const leftAtNextCycleMs = validUntilMs - nowMs - intervalSeconds * 1000;
  return leftAtNextCycleMs <= RENEWED_WITH_LEFT * ttlSeconds * 1000;
}

export interface RenewalTimes {
  readonly nowMs: number;
  readonly ttlSeconds: number;
  readonly intervalSeconds: number;
}
