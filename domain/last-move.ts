import type { Command, Device, LastMove, PlanSettings } from './fleet';
import { isInForce } from './planning/commands';

/**
 * The move that a new target makes, to be stored with the device; null when it is the target it has. A device without a
 * command in force was at what it measured. Targets within one settling time add up to one move: it was not at rest in between.
 */
export function moveTo(
  targetKw: number,
  device: Device,
  nowMs: number,
  { settleSeconds }: PlanSettings,
): LastMove | null {
  const { pending, acknowledged, reading, lastMove } = device;
  const targetOf = (command: Command | null): number | undefined =>
    command !== null && isInForce(command, device, nowMs) ? command.targetKw : undefined;
  const fromKw = targetOf(pending) ?? targetOf(acknowledged) ?? reading?.powerKw ?? 0;
  if (fromKw === targetKw) return null;
  const ranKw = reading?.powerKw ?? fromKw;
  const underWay = lastMove !== null && nowMs - lastMove.atMs < settleSeconds * 1000 ? lastMove : null;
  return {
    atMs: nowMs,
    fromLowKw: Math.min(fromKw, underWay?.fromLowKw ?? fromKw),
    fromHighKw: Math.max(fromKw, underWay?.fromHighKw ?? fromKw),
    ranLowKw: Math.min(ranKw, underWay?.ranLowKw ?? ranKw),
    ranHighKw: Math.max(ranKw, underWay?.ranHighKw ?? ranKw),
  };
}
