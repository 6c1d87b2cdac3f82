import { byText } from '../in-words';
import type { PlanSettings } from '../fleet';
import type { WaitingOrder } from './charging-minimums';
import type { SteerableDevice } from './device-state';

/**
 * Who waits when not all minimums fit, and for how long.
 *
 * The lowest priority (weight without urgency) waits first. Among equals it goes by turns: who waits goes on waiting
 * until its turn is over, then the one whose last wait is longest ago takes its place; of several, the next by id, and
 * after the last id the first. All that is needed is stored with the device, so turns survive a restart and a stored
 * cycle gives the same order again.
 */
export const byTurns =
  (nowMs: number, { rotationSeconds }: Pick<PlanSettings, 'rotationSeconds'>): WaitingOrder =>
  (group) => {
    const turns = new Map(group.map((steerable) => [steerable, turnOf(steerable, nowMs, rotationSeconds)]));
    const turn = (steerable: SteerableDevice): Turn =>
      turns.get(steerable) ?? turnOf(steerable, nowMs, rotationSeconds);
    const lastId = group
      .filter((steerable) => turn(steerable).phase === 'waited-long-enough')
      .reduce((last, { device: { deviceId } }) => (byText(deviceId, last) > 0 ? deviceId : last), '');
    return (a, b) =>
      a.device.weight - b.device.weight ||
      PHASE_ORDER[turn(a).phase] - PHASE_ORDER[turn(b).phase] ||
      compare(turn(a).sinceMs, turn(b).sinceMs) ||
      byTextAfter(lastId, a.device.deviceId, b.device.deviceId);
  };

interface Turn {
  readonly phase: 'waits' | 'charges' | 'waited-long-enough';
  /** Within a phase the smaller waits first. */
  readonly sinceMs: number;
}

const PHASE_ORDER = { waits: 0, charges: 1, 'waited-long-enough': 2 } as const satisfies Record<Turn['phase'], number>;

function turnOf({ device }: SteerableDevice, nowMs: number, rotationSeconds: number): Turn {
  const { waitsSinceMs, waitedUntilMs } = device;
  if (waitsSinceMs === null) return { phase: 'charges', sinceMs: waitedUntilMs ?? -Infinity };
  const isOver = nowMs - waitsSinceMs >= rotationSeconds * 1000;
  return { phase: isOver ? 'waited-long-enough' : 'waits', sinceMs: 0 - waitsSinceMs };
}

/** Two infinities are equal; their difference is not a number. */
const compare = (a: number, b: number): number => (a < b ? -1 : a > b ? 1 : 0);

/** Order of ids that begins behind `start` and ends with it. */
function byTextAfter(start: string, a: string, b: string): number {
  const [isAfterA, isAfterB] = [byText(a, start) > 0, byText(b, start) > 0];
  return isAfterA === isAfterB ? byText(a, b) : isAfterA ? -1 : 1;
}
