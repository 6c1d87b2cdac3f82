import { DAY_SECONDS } from './sun';

/** Load of the homes on a feeder, which nobody controls. kW. */
export interface Household {
  /** In the small hours. */
  readonly baseKw: number;
  /** On a usual evening. */
  readonly peakKw: number;
}

/** Share of the way from base to peak: a smaller hump at half past seven, the large one at seven in the evening. */
export function householdShare(secondsOfDay: number): number {
  const hour = (secondsOfDay % DAY_SECONDS) / 3_600;
  const morning = 0.6 * hump(hour, 7.5, 1.5);
  const evening = hump(hour, 19, 2.5);
  const daytime = 0.3 * hump(hour, 13, 4);
  return Math.min(1, morning + evening + daytime);
}

/**
 * `restlessness` wanders around 0 (see `wander`): homes are never quite as yesterday, by 4 % of the way from base to peak.
 * With the same base and peak the load is constant.
 */
export const householdKw = ({ baseKw, peakKw }: Household, secondsOfDay: number, restlessness: number): number =>
  baseKw + (peakKw - baseKw) * (householdShare(secondsOfDay) + 0.04 * restlessness);

const hump = (hour: number, at: number, width: number): number => Math.exp(-(((hour - at) / width) ** 2));
