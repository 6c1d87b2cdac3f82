import type { Command, Device } from '../fleet';

/** Powers between which a device may stand, kW. */
export interface PowerSpan {
  readonly lowKw: number;
  readonly highKw: number;
}

/**
 * What the commands that a device may have would let it do: what was acknowledged and everything sent since, as far
 * as it is still valid. null when it has none. A device that does not honour expiry keeps its last command for ever.
 */
export function commandsInForce(device: Device, nowMs: number): PowerSpan | null {
  const { acknowledged, pending } = device;
  let span: PowerSpan | null = null;
  if (acknowledged !== null && isInForce(acknowledged, device, nowMs)) {
    span = { lowKw: acknowledged.targetKw, highKw: acknowledged.targetKw };
  }
  if (pending !== null && isInForce(pending, device, nowMs)) span = including(span ?? pending, pending);
  return span;
}

/** Whether a device that has this command still goes by it. */
export const isInForce = (
  { validUntilMs }: Command,
  { honoursExpiry }: Pick<Device, 'honoursExpiry'>,
  nowMs: number,
): boolean => !honoursExpiry || validUntilMs > nowMs;

const including = (a: PowerSpan, b: PowerSpan): PowerSpan => ({
  lowKw: Math.min(a.lowKw, b.lowKw),
  highKw: Math.max(a.highKw, b.highKw),
});

/** The most this device can ever do, kW >= 0; null when nobody has said: such a device cannot be planned. */
export function ratedPowerKw({ deviceType, maxImportKw, maxExportKw }: Device): number | null {
  switch (deviceType) {
    case 'pv':
      return maxExportKw;
    case 'ev':
      return maxImportKw;
    case 'battery':
      return maxImportKw === null && maxExportKw === null ? null : Math.max(maxImportKw ?? 0, maxExportKw ?? 0);
  }
}
