import { between, type Random } from './random';

/** How cars come and go at a charger; times in simulated hours, each drawn anew between two bounds. */
export interface Visits {
  readonly stayHours: readonly [number, number];
  readonly awayHours: readonly [number, number];
  /** State of charge of a car that comes. */
  readonly arrivalSoc: readonly [number, number];
}

/** A car at the charger, or none. */
export interface Visit {
  readonly pluggedIn: boolean;
  /** Simulated seconds until it leaves, or until the next one comes. */
  readonly secondsLeft: number;
}

/** At the start every place is taken, by cars that came at different times. */
export const firstVisit = (visits: Visits, random: Random): Visit => ({
  pluggedIn: true,
  secondsLeft: between(random, visits.stayHours) * 3_600 * random(),
});

/** The visit that follows; `soc` is null when the place stays empty for a while. */
export function nextVisit(visits: Visits, { pluggedIn }: Visit, random: Random): Visit & { soc: number | null } {
  return pluggedIn
    ? { pluggedIn: false, secondsLeft: between(random, visits.awayHours) * 3_600, soc: null }
    : {
        pluggedIn: true,
        secondsLeft: between(random, visits.stayHours) * 3_600,
        soc: between(random, visits.arrivalSoc),
      };
}
