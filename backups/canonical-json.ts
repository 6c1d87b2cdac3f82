/**
 * JSON that is the same for the same value, however its fields were ordered: what is signed must survive being stored in
 * a `jsonb` column, which orders them anew.
 */
export const canonicalJson = (value: unknown): string => JSON.stringify(ordered(value));

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, inner]: [string, unknown]) => [name, ordered(inner)]));
}
