/**
 * Format for `to_char(… at time zone 'UTC', …)`: ISO 8601 to the microsecond, as Postgres keeps it. A `Date` has
 * milliseconds, and a cursor that was rounded to them would skip rows or repeat them.
 */
export const EXACT_UTC = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"';
