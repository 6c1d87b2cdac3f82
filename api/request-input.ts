import type { Request } from 'express';
import { z } from 'zod';
import { DermsError, type FieldFault } from '../domain/errors';
import type { Route, RouteInput } from './route';

/**
 * What a request says, by the route's own schemas; every fault at once.
 *
 * @throws {DermsError} VALIDATION_FAILED; IDEMPOTENCY_KEY_MISSING when that is all that is wrong; what `readBody` throws.
 */
export function readInput(route: Route, request: Request): Omit<RouteInput, 'actor'> {
  const faults: FieldFault[] = [];
  const read = (schema: z.ZodType | undefined, value: unknown, at: string): unknown => {
    if (schema === undefined) return {};
    const result = schema.safeParse(value, { reportInput: true });
    if (result.success) return result.data;
    faults.push(...result.error.issues.flatMap((issue) => faultsOfIssue(issue, at)));
    return {};
  };
  const input = {
    params: read(route.params, request.params, '/path'),
    query: read(route.query ?? NO_QUERY, request.query, '/query'),
    headers: read(route.headers, namedHeaders(route.headers, request), '/header'),
    body: route.body === undefined || route.readBody ? undefined : read(route.body, request.body, ''),
  };
  if (faults.length > 0) throw invalid(faults);
  if (route.readBody) input.body = route.readBody(request.body);
  return input as Omit<RouteInput, 'actor'>; // objects by their schemas, which are objects
}

const NO_QUERY = z.strictObject({});

/** Only the headers that the route knows: a request has many more, which are nobody's mistake. */
function namedHeaders(schema: z.ZodObject | undefined, request: Request): Record<string, string> {
  const names = Object.keys(schema?.shape ?? {});
  return Object.fromEntries(names.flatMap((name) => optional(name, request.get(name))));
}

const optional = (name: string, value: string | undefined): [string, string][] =>
  value === undefined ? [] : [[name, value]];

function invalid(faults: readonly FieldFault[]): DermsError {
  const [first] = faults;
  if (faults.length === 1 && first?.pointer === '/header/idempotency-key' && first.message === MISSING) {
    return new DermsError('IDEMPOTENCY_KEY_MISSING', 'The header Idempotency-Key is required.', { faults });
  }
  const many = faults.length === 1 ? 'one fault' : `${String(faults.length)} faults`;
  return new DermsError('VALIDATION_FAILED', `The request has ${many}; nothing was done.`, { faults });
}

const MISSING = 'is required and missing';

/** A wrong value in a list of thousands must not make an answer of megabytes. */
const MAX_KEYS_NAMED = 20;

export function faultsOfIssue(issue: z.core.$ZodIssue, at: string): FieldFault[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys
      .slice(0, MAX_KEYS_NAMED)
      .map((key) => ({ pointer: pointerTo(at, [...issue.path, key.slice(0, 128)]), message: 'is not a known field' }));
  }
  const missing = issue.code === 'invalid_type' && issue.input === undefined;
  return [{ pointer: pointerTo(at, issue.path), message: missing ? MISSING : issue.message }];
}

/** RFC 6901. */
const pointerTo = (at: string, path: readonly PropertyKey[]): string =>
  at + path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
