/** Breaking changes that are meant, one a line: `GET /api/audit response-property-enum-value-added: why`. */
const MEANT = /^(\S+ \S+ [\w-]+): \S/;
const FOUND = /in API (\S+ \S+) .*\[([\w-]+)\]/;

/**
 * What breaks callers of the previous release and is not meant, as oasdiff tells it; and what is said to be meant and is not
 * there (any more), so that the list does not outlive its release.
 */
export function apiFaults(told: string, list: string): string[] {
  const lines = list.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
  const meant = new Set(lines.map((line) => MEANT.exec(line)?.[1] ?? line));
  const errors = told.split('\n').filter((line) => line.startsWith('error'));
  const keyOf = (line: string): string => (FOUND.exec(line) ?? []).slice(1).join(' ');
  const found = new Set(errors.map(keyOf));
  return [
    ...errors.filter((line) => !meant.has(keyOf(line))),
    ...[...meant].filter((key) => !found.has(key)).map((key) => `said to be meant, and not found: ${key}`),
  ];
}
