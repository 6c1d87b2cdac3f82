import { z } from 'zod';
import { loadSomeSettings } from '../config/load';
import { CommandFailure } from './failure';
import { readServerEvents, type ServerEvent } from './server-events';

/** Longest wait for an answer, ms; above what the API itself allows a request. */
const TIMEOUT_MS = 20_000;

const problemSchema = z.object({
  code: z.string(),
  title: z.string(),
  detail: z.string(),
  requestId: z.string().optional(),
  errors: z.array(z.object({ pointer: z.string(), message: z.string() })).default([]),
  conflictsWith: z.array(z.string()).default([]),
  activeRun: z.string().optional(),
});

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Longest that the API itself waits before it answers, ms; on top of what an answer may take. */
  readonly waitsMs?: number;
}

export interface ApiClient {
  readonly url: string;
  /** @throws {CommandFailure} when there is no answer, or one that is no success. */
  call<Schema extends z.ZodType>(schema: Schema, request: ApiRequest): Promise<z.output<Schema>>;
  /**
   * What an answer of any length says, as it comes; not over before it is whole.
   *
   * @throws {CommandFailure} when there is no answer, or one that breaks off.
   */
  download(path: string): AsyncIterable<Uint8Array>;
  /**
   * The events of a stream after the one of that id, until it ends, breaks or is silent for too long: whoever reads knows
   * by its last event which it was.
   *
   * @throws {CommandFailure} when there is no answer, or one that is no stream.
   */
  events(path: string, lastEventId: string | null): AsyncIterable<ServerEvent>;
}

/** The API has answered, with a problem. */
export class ApiRefusal extends CommandFailure {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message, 1);
  }
}

/**
 * Logs in with the first call that needs it and sends the token from then on; logs in again when it is not good any more.
 * A machine token is sent as it is.
 *
 * @throws {CommandFailure} naming what is not set.
 */
export function createApiClient(environment: NodeJS.ProcessEnv, timeoutMs = TIMEOUT_MS): ApiClient {
  const settings = apiSettings(environment);
  const url = settings.DERMS_API_URL.replace(/\/+$/, '');
  let token: Promise<string> | null = null;
  const withToken = async <T>(work: (authorization: { readonly authorization: string }) => Promise<T>): Promise<T> => {
    const known = token;
    token ??= login(url, settings, timeoutMs);
    try {
      return await work({ authorization: `Bearer ${await token}` });
    } catch (error) {
      if (!(error instanceof ApiRefusal) || error.status !== 401) throw error;
      token = null;
      if (known === null) throw error; // a new token that is refused will not get better
      return withToken(work);
    }
  };
  return {
    url,
    call: (schema, request) =>
      withToken((authorization) => send(url, schema, request, authorization, timeoutMs + (request.waitsMs ?? 0))),
    async *download(path) {
      const end = new AbortController();
      try {
        const body = await withToken((authorization) => openStream(url, path, authorization, { timeoutMs, end }));
        const pieces = body[Symbol.asyncIterator]();
        for (let next = await reach(url, () => pieces.next()); next.done !== true;) {
          yield next.value;
          next = await reach(url, () => pieces.next());
        }
      } finally {
        end.abort();
      }
    },
    async *events(path, lastEventId) {
      const end = new AbortController();
      const body = await withToken((authorization) =>
        openStream(
          url,
          path,
          { accept: 'text/event-stream', ...authorization, ...after(lastEventId) },
          { timeoutMs, end },
        ),
      );
      try {
        yield* readServerEvents(body);
      } finally {
        end.abort();
      }
    },
  };
}

const after = (lastEventId: string | null): Record<string, string> =>
  lastEventId === null ? {} : { 'last-event-id': lastEventId };

/** Answers with the body once the API has begun to answer. */
async function openStream(
  url: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  { timeoutMs, end }: { readonly timeoutMs: number; readonly end: AbortController },
): Promise<AsyncIterable<Uint8Array>> {
  const late = setTimeout(() => {
    end.abort(new DOMException('no answer in time', 'TimeoutError'));
  }, timeoutMs);
  try {
    const response = await reach(url, () => fetch(`${url}${path}`, { headers: { ...headers }, signal: end.signal }));
    if (!response.ok) throw refusal(response.status, await reach(url, () => response.text()));
    if (response.body === null) throw new CommandFailure(`${url} answers without a stream: is it this API?`);
    return response.body;
  } finally {
    clearTimeout(late);
  }
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
    return loadSomeSettings(['DERMS_API_URL', 'DERMS_USER', 'DERMS_PASSWORD', 'DERMS_TOKEN'], environment);
  } catch (error) {
    throw new CommandFailure(error instanceof Error ? error.message : String(error));
  }
}

async function login(
  url: string,
  { DERMS_USER: user, DERMS_PASSWORD: password, DERMS_TOKEN: token }: ReturnType<typeof apiSettings>,
  timeoutMs: number,
): Promise<string> {
  if (token !== undefined) return token;
  if (user === undefined || password === undefined) {
    throw new CommandFailure(
      'Nobody to log in as: set DERMS_USER and DERMS_PASSWORD (or DERMS_TOKEN), or run from a checkout in which npm start has run.',
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
function refusal(status: number, text: string): ApiRefusal {
  const parsed = problemSchema.safeParse(jsonIn(text));
  if (!parsed.success) return new ApiRefusal(status, `The API answers HTTP ${String(status)}: ${text.slice(0, 200)}`);
  const { code, title, detail, requestId, errors, conflictsWith, activeRun } = parsed.data;
  const lines = [
    `${title}: ${detail}`,
    ...errors.map(({ pointer, message }) => `  ${pointer === '' ? 'the request' : pointer}: ${message}`),
    ...conflictsWith.map((dispatchId) => `  excluded by dispatch ${dispatchId}`),
    ...(activeRun === undefined
      ? []
      : [`  follow it: npm run derms -- run ${activeRun.split('/').at(-1) ?? ''} --follow`]),
    ...(code === 'UNAUTHENTICATED' ? ['  Check DERMS_USER and DERMS_PASSWORD, or DERMS_TOKEN.'] : []),
    `  ${code}, request ${requestId ?? 'unknown'}; see docs/errors.md`,
  ];
  return new ApiRefusal(status, lines.join('\n'));
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
