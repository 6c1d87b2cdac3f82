import { z } from 'zod';
import { loadSomeSettings } from '../config/load';
import { CommandFailure } from './failure';

/** Longest wait for an answer, ms; above what the API itself allows a request. */
const TIMEOUT_MS = 20_000;

const problemSchema = z.object({
  code: z.string(),
  title: z.string(),
  detail: z.string(),
  requestId: z.string().optional(),
  errors: z.array(z.object({ pointer: z.string(), message: z.string() })).default([]),
  conflictsWith: z.array(z.string()).default([]),
});

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH';
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ApiClient {
  readonly url: string;
  /** @throws {CommandFailure} when there is no answer, or one that is no success. */
  call<Schema extends z.ZodType>(schema: Schema, request: ApiRequest): Promise<z.output<Schema>>;
}

/**
 * Logs in with the first call that needs it and sends the token from then on.
 *
 * @throws {CommandFailure} naming what is not set.
 */
export function createApiClient(environment: NodeJS.ProcessEnv, timeoutMs = TIMEOUT_MS): ApiClient {
  const settings = apiSettings(environment);
  const url = settings.DERMS_API_URL.replace(/\/+$/, '');
  let token: Promise<string> | null = null;
  return {
    url,
    call: async (schema, request) => {
      token ??= login(url, settings, timeoutMs);
      return send(url, schema, request, { authorization: `Bearer ${await token}` }, timeoutMs);
    },
  };
}

/** Without logging in: for open routes. */
export const callOpen = <Schema extends z.ZodType>(
  environment: NodeJS.ProcessEnv,
  schema: Schema,
  request: ApiRequest,
  timeoutMs: number,
): Promise<z.output<Schema>> =>
  send(apiSettings(environment).DERMS_API_URL.replace(/\/+$/, ''), schema, request, {}, timeoutMs);

function apiSettings(environment: NodeJS.ProcessEnv) {
  try {
    return loadSomeSettings(['DERMS_API_URL', 'DERMS_USER', 'DERMS_PASSWORD'], environment);
  } catch (error) {
    throw new CommandFailure(error instanceof Error ? error.message : String(error));
  }
}

async function login(
  url: string,
  { DERMS_USER: user, DERMS_PASSWORD: password }: ReturnType<typeof apiSettings>,
  timeoutMs: number,
): Promise<string> {
  if (user === undefined || password === undefined) {
    throw new CommandFailure(
      'Nobody to log in as: set DERMS_USER and DERMS_PASSWORD, or run from a checkout in which npm start has run.',
    );
  }
  const request = { method: 'POST', path: '/api/auth/login', body: { user, password } } as const;
  return (await send(url, z.object({ accessToken: z.string() }), request, {}, timeoutMs)).accessToken;
}

async function send<Schema extends z.ZodType>(
  url: string,
  schema: Schema,
  { method, path, body, headers }: ApiRequest,
  more: Readonly<Record<string, string>>,
  timeoutMs: number,
): Promise<z.output<Schema>> {
  const response = await reach(url, () =>
    fetch(`${url}${path}`, {
      method,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers, ...more },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(timeoutMs),
    }),
  );
  const text = await reach(url, () => response.text());
  if (!response.ok) throw refusal(response.status, text);
  const result = schema.safeParse(jsonIn(text));
  if (!result.success) {
    throw new CommandFailure(`${url} answers something else than expected: is it this API, and this version?`);
  }
  return result.data;
}

async function reach<T>(url: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const { code } = (cause as { cause?: { code?: string } }).cause ?? {}; // fetch hides the socket's error there
    const why =
      cause instanceof Error && cause.name === 'TimeoutError' ? 'no answer in time' : (code ?? 'no connection');
    throw new CommandFailure(
      `The API at ${url} does not answer (${why}). Start it (npm start), or set DERMS_API_URL to where it is.`,
      2,
      { cause },
    );
  }
}

/** A problem in words: title, detail, and a line for each fault. */
function refusal(status: number, text: string): CommandFailure {
  const parsed = problemSchema.safeParse(jsonIn(text));
  if (!parsed.success) return new CommandFailure(`The API answers HTTP ${String(status)}: ${text.slice(0, 200)}`);
  const { code, title, detail, requestId, errors, conflictsWith } = parsed.data;
  const lines = [
    `${title}: ${detail}`,
    ...errors.map(({ pointer, message }) => `  ${pointer === '' ? 'the request' : pointer}: ${message}`),
    ...conflictsWith.map((dispatchId) => `  excluded by dispatch ${dispatchId}`),
    ...(code === 'UNAUTHENTICATED' ? ['  Check DERMS_USER and DERMS_PASSWORD.'] : []),
    `  ${code}, request ${requestId ?? 'unknown'}; see docs/errors.md`,
  ];
  return new CommandFailure(lines.join('\n'), 1);
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
