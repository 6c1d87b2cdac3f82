import { randomStream } from './physics/random';

/** How a device misbehaves. All of it can be changed while it runs. */
export interface Behaviour {
  /** Sends nothing; goes on doing what it is told. */
  readonly silent: boolean;
  /** Hears no setpoints, as with a cut line: its last one expires. */
  readonly deaf: boolean;
  /** Hears its setpoints and does as it likes. */
  readonly disobedient: boolean;
  /** Its gateway reports that it cannot reach it; it stands still. */
  readonly offline: boolean;
  /** It reports this fault and stands still. */
  readonly faultCode: string | null;
  /** How far its clock is ahead of ours, s. Stamps its messages and judges expiries. */
  readonly clockOffsetSeconds: number;
  /** false: it goes on with its last setpoint for ever. */
  readonly honoursExpiry: boolean;
}

export const WELL_BEHAVED: Behaviour = {
  silent: false,
  deaf: false,
  disobedient: false,
  offline: false,
  faultCode: null,
  clockOffsetSeconds: 0,
  honoursExpiry: true,
};

/** How many devices of a fleet are to misbehave in which way. */
export interface FaultCounts {
  readonly silent: number;
  readonly disobey: number;
  readonly clockSkew: number;
  readonly offline: number;
  readonly fault: number;
}

/** Ahead, and less than the 30 s from which on messages are refused: it is to be seen, not to vanish. */
const SKEW_SECONDS = 20;

const FAULTS: Readonly<Record<keyof FaultCounts, Partial<Behaviour>>> = {
  silent: { silent: true },
  disobey: { disobedient: true },
  clockSkew: { clockOffsetSeconds: SKEW_SECONDS },
  offline: { offline: true },
  fault: { faultCode: 'E-17' },
};

/**
 * Draws who misbehaves: the same devices for the same seed, nobody twice.
 *
 * @throws {RangeError} when there are fewer devices than faults.
 */
export function drawFaults(
  deviceIds: readonly string[],
  counts: Partial<FaultCounts>,
  seed: number,
): ReadonlyMap<string, Partial<Behaviour>> {
  const random = randomStream(seed, 'faults');
  const left = [...deviceIds];
  const drawn = new Map<string, Partial<Behaviour>>();
  for (const fault of Object.keys(FAULTS) as (keyof FaultCounts)[]) {
    for (let count = counts[fault] ?? 0; count > 0; count -= 1) {
      const [deviceId] = left.splice(Math.floor(random() * left.length), 1);
      if (deviceId === undefined)
        throw new RangeError(`the fleet has only ${String(deviceIds.length)} devices to misbehave`);
      drawn.set(deviceId, FAULTS[fault]);
    }
  }
  return drawn;
}
