import { ACCESS, type Access } from '../access';

/** Every scope there is; `{…}` stands for a name. */
export const SCOPES: readonly string[] = [
  ...new Set(Object.values(ACCESS).flatMap(({ scope }: Access) => scope ?? [])),
].sort();

const ANY = '*';
const NAME = /^[A-Za-z0-9._-]{1,128}$/;

/**
 * Whether a token may: one of its scopes is the one that is needed, part by part, or ends in `*` where that one has its
 * last part. Parameters are put in as parts, whatever they contain: none is ever taken for `*` or for two parts.
 */
export function covers(
  granted: readonly string[],
  needed: string,
  params: Readonly<Record<string, string | string[] | undefined>>,
): boolean {
  const parts = needed.split(':').map((part) => {
    const name = parameterOf(part);
    return name === null ? part : params[name];
  });
  return granted.some((scope) => {
    const have = scope.split(':');
    return (
      have.length === parts.length &&
      have.every((part, index) => part === parts[index] || (part === ANY && index === parts.length - 1))
    );
  });
}

/** What is wrong with a scope that somebody wants to give, in words that complete "The scope …"; null: nothing. */
export function scopeFault(scope: string, jobNames: { has(name: string): boolean }): string | null {
  const have = scope.split(':');
  const known = SCOPES.find((candidate) => {
    const parts = candidate.split(':');
    return (
      parts.length === have.length &&
      parts.every((part, index) => {
        const given = have[index] ?? '';
        if (given === ANY) return index === parts.length - 1;
        return parameterOf(part) === null ? part === given : NAME.test(given);
      })
    );
  });
  if (known === undefined) return `is none of ${SCOPES.join(', ')}, nor one that ends in * instead`;
  const [area, verb, name] = have;
  if (area === 'jobs' && verb === 'run' && name !== undefined && name !== ANY && !jobNames.has(name))
    return `names a job that there is not: ${name}`;
  return null;
}

/** `jobName` of `{jobName}`. */
const parameterOf = (part: string): string | null => /^\{(\w+)\}$/.exec(part)?.[1] ?? null;
