import { addTo, real, whole } from '../allocation/packed';
import type { SteerableDevice } from './device-state';
import { countedHighKw, countedLowKw, ON_LIMIT_KW, type Feeders, type LimitRooms } from './limit-rooms';

/** Two targets closer than this are the same one: what rounding leaves, not a change. */
const SAME_TARGET_KW = 1e-6;

/**
 * Keeps the old setpoint of a device whose target hardly moved, as long as every limit above it still holds: fewer
 * messages, and no node pays for it. Kept in the order given, those first whose old setpoint takes less import,
 * because they make the room that the others need. Returns which were kept; `powerKw` is changed in place.
 */
export function keepWithinDeadband(
  { tree }: Feeders,
  rooms: LimitRooms,
  devices: readonly SteerableDevice[],
  powerKw: Float64Array,
  { nowMs, deadbandKw }: { readonly nowMs: number; readonly deadbandKw: number },
): readonly boolean[] {
  const { high, low } = rooms.sums(powerKw, devices);
  const kept = new Array<boolean>(devices.length).fill(false);
  const olds = devices.map((steerable, index) => oldTarget(steerable, real(powerKw, index), nowMs, deadbandKw));
  for (const lowers of [true, false]) {
    olds.forEach((oldKw, index) => {
      const steerable = devices[index];
      const newKw = real(powerKw, index);
      if (oldKw === null || steerable === undefined || kept[index] === true || oldKw <= newKw !== lowers) return;
      const moreHigh = countedHighKw(steerable, oldKw) - countedHighKw(steerable, newKw);
      const lessLow = countedLowKw(steerable, newKw) - countedLowKw(steerable, oldKw);
      for (let node = steerable.node; node >= 0; node = whole(tree.parentOf, node)) {
        if (moreHigh > 0 && real(high, node) + moreHigh > real(rooms.highKw, node) + ON_LIMIT_KW) return;
        if (lessLow > 0 && real(low, node) - lessLow < real(rooms.lowKw, node) - ON_LIMIT_KW) return;
      }
      for (let node = steerable.node; node >= 0; node = whole(tree.parentOf, node)) {
        addTo(high, node, moreHigh);
        addTo(low, node, -lessLow);
      }
      powerKw[index] = oldKw;
      kept[index] = Math.abs(oldKw - newKw) > SAME_TARGET_KW;
    });
  }
  return kept;
}

/**
 * The acknowledged target, when it is in force, within the bounds and near enough to stand for the new one; else
 * null.
 */
function oldTarget({ device, want }: SteerableDevice, newKw: number, nowMs: number, deadbandKw: number): number | null {
  const { acknowledged, pending } = device;
  if (acknowledged === null || pending !== null || acknowledged.validUntilMs <= nowMs) return null;
  const oldKw = acknowledged.targetKw;
  const change = Math.abs(oldKw - newKw);
  if (change > SAME_TARGET_KW && change >= deadbandKw) return null;
  if (oldKw < want.lowKw || oldKw > want.highKw) return null;
  return oldKw > 0 && oldKw < want.minimumKw - ON_LIMIT_KW ? null : oldKw;
}
