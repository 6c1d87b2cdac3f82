/** A battery, or that of a car: a store of energy behind a converter. */
export interface Storage {
  readonly capacityKwh: number;
  /** Most it draws and gives at its terminals, kW >= 0. */
  readonly maxChargeKw: number;
  readonly maxDischargeKw: number;
  /** It charges at 0 or at least this: a charger cannot offer a car less than 6 A. */
  readonly minChargeKw: number;
  /** Of one way, 0..1: what arrives in the cells of what is drawn. */
  readonly efficiency: number;
}

/** From here on the cells take less and less, down to nothing when full. */
const TAPER_FROM_SOC = 0.9;
/** Below this share of its rating a charger switches off: the battery counts as full. */
const CUT_OFF_SHARE = 0.02;

/**
 * What it really does when it is asked for `wantedKw` (+ charges) over the next `hours`: held by its rating, by the
 * taper near full, and by the energy that is left or fits.
 */
export function storagePowerKw(storage: Storage, soc: number, wantedKw: number, hours: number): number {
  if (wantedKw < 0) return -Math.min(-wantedKw, storage.maxDischargeKw, leftKw(storage, soc, hours));
  const mostKw = Math.min(mostChargeKw(storage, soc), fitsKw(storage, soc, hours));
  const chargeKw = Math.min(wantedKw, mostKw);
  return chargeKw < storage.minChargeKw ? 0 : chargeKw;
}

/** Most it would draw at this state of charge. */
export function mostChargeKw({ maxChargeKw }: Storage, soc: number): number {
  if (soc <= TAPER_FROM_SOC) return maxChargeKw;
  const taperedKw = (maxChargeKw * (1 - soc)) / (1 - TAPER_FROM_SOC);
  return taperedKw < CUT_OFF_SHARE * maxChargeKw ? 0 : taperedKw;
}

/** State of charge after `hours` at `powerKw`, 0..1. */
export function socAfter({ capacityKwh, efficiency }: Storage, soc: number, powerKw: number, hours: number): number {
  const storedKw = powerKw > 0 ? powerKw * efficiency : powerKw / efficiency;
  return Math.min(1, Math.max(0, soc + (storedKw * hours) / capacityKwh));
}

/** Power at which the last of it is gone at the end of the step. */
const leftKw = ({ capacityKwh, efficiency }: Storage, soc: number, hours: number): number =>
  hours > 0 ? (soc * capacityKwh * efficiency) / hours : soc > 0 ? Infinity : 0;

/** Power at which it is full at the end of the step. */
const fitsKw = ({ capacityKwh, efficiency }: Storage, soc: number, hours: number): number =>
  hours > 0 ? ((1 - soc) * capacityKwh) / efficiency / hours : Infinity;
