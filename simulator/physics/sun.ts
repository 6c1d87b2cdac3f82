const HOUR = 3_600;
export const DAY_SECONDS = 24 * HOUR;

/** Share of its rating that a clean panel gives under a clear sky: 0 at night, 1 at noon; the sun is up from 6 to 18. */
export function clearSky(secondsOfDay: number): number {
  const hour = (secondsOfDay % DAY_SECONDS) / HOUR;
  return hour <= 6 || hour >= 18 ? 0 : Math.sin((Math.PI * (hour - 6)) / 12) ** 1.2;
}

/**
 * What clouds leave of it, 0.2..1. `weather` wanders around 0 (see `wander`); `cloudiness` 0 is a blue sky, 1 a grey one
 * with holes.
 */
export function throughClouds(weather: number, cloudiness: number): number {
  return Math.min(1, Math.max(0.2, 1 - cloudiness * (0.5 + 0.35 * weather)));
}
