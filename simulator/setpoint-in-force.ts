import type { ReceivedSetpoint } from '../contracts/setpoint';

/** What a device does with a setpoint that it hears. */
export type Verdict = 'taken' | 'expired' | 'repeated' | 'older';

/**
 * The rule of contract v1: newer than all before, and not over yet by the device's own clock.
 *
 * The broker repeats itself (a retained message comes again with each subscription, an unacknowledged one with each
 * connection), and what it kept for us may be long out of date.
 */
export function judgeSetpoint(
  setpoint: ReceivedSetpoint,
  last: { readonly messageId: string; readonly timestampMs: number } | null,
  deviceClockMs: number,
): Verdict {
  if (last !== null && setpoint.messageId === last.messageId) return 'repeated';
  if (last !== null && setpoint.timestampMs < last.timestampMs) return 'older';
  return setpoint.validUntilMs <= deviceClockMs ? 'expired' : 'taken';
}
