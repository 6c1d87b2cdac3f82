/**
 * Whether a large database is drilled on that day (UTC): on the first of each quarter in production, where a restore of
 * hundreds of gigabytes is an undertaking; on Sundays elsewhere.
 */
export const isDrillDay = (day: Date, deployment: 'development' | 'staging' | 'production'): boolean =>
  deployment === 'production' ? day.getUTCDate() === 1 && day.getUTCMonth() % 3 === 0 : day.getUTCDay() === 0;
