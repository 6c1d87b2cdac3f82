import { randomBytes, scryptSync } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createApp } from '../../../api/app';
import { createRefusalSums } from '../../../api/audit/refusal-sums';
import { attemptsInMemory } from '../../../api/auth/attempts-in-memory';
import { createAuthentication, type Authentication, type AuthenticationParts } from '../../../api/auth/authentication';
import { createLoginBackOff, STREAK_RULES, type LoginBackOff } from '../../../api/auth/login-back-off';
import type { TokenRegister } from '../../../api/auth/token-register';
import { createTokens, type TokenOptions, type Tokens } from '../../../api/auth/tokens';
import { createPlanningTurns } from '../../../api/planning/turns';
import type { RateLimiter } from '../../../api/rate-limit';
import { createReadPlaces } from '../../../api/read-places';
import { createStreamPlaces } from '../../../api/stream-places';
import type { HealthMonitor } from '../../../api/health/monitor';
import { createApiMetrics } from '../../../api/metrics';
import type { AppPorts } from '../../../api/ports';
import type { AuthUser, Role } from '../../../config/auth-users';
import { unmatchableHash } from '../../../config/password-hash';
import type { AuditEntry } from '../../../db/audit';
import { createLogger } from '../../../observability/logger';
import { Registry } from '../../../observability/metrics';

export const SECRET = 'nLqGmQ0b3yU7sT9xVd2kZr5wHc8fJa1eP4iM6oXuBtY';
export const tokensOf = (given: Partial<TokenOptions> = {}): Tokens =>
  createTokens({
    secret: SECRET,
    previousSecret: null,
    issuer: 'derms-production',
    ttlSeconds: 3_600,
    nowMs: () => Date.now(),
    ...given,
  });
export const tokens = tokensOf();

/** `Authorization` of a user who is named like the role. */
export const bearer = (role: Role): Record<string, string> => ({
  authorization: `Bearer ${tokens.issue({ user: role, role })}`,
});

const ROLE_USERS = (['viewer', 'operator', 'admin'] as const).map((role) => ({
  user: role,
  role,
  hash: unmatchableHash(),
  passwordSetOn: null,
}));

/** Somebody whose password is checked a thousand times quicker than a real one. */
export function aUser(user: string, role: Role, password: string): AuthUser {
  const salt = randomBytes(16);
  const hash = scryptSync(password, salt, 32, { N: 16, r: 8, p: 1 });
  return { user, role, passwordSetOn: null, hash: { cost: 16, blockSize: 8, parallelism: 1, salt, hash } };
}

/** Log-in as it is without a database. */
export const authenticationOf = (given: Partial<AuthenticationParts> = {}): Authentication =>
  createAuthentication({
    users: ROLE_USERS,
    tokens,
    register: UNREVOKED,
    backOff: backOffOf(() => performance.now()),
    now: () => new Date(),
    sleep: () => Promise.reject(new Error('nobody is made to wait here')),
    onTokenRefused: () => undefined,
    ...given,
  });

/** Knows of no revocation and no machine. */
export const UNREVOKED: TokenRegister = {
  start: () => Promise.resolve(),
  stop: () => undefined,
  lookNow: () => Promise.resolve(),
  isRevoked: () => false,
  machineOf: () => null,
  ageSeconds: () => 0,
};

/** Counts nobody's requests. */
const UNLIMITED: RateLimiter = { count: () => Promise.resolve({}) };

/** Counts in memory. */
export const backOffOf = (nowMs: () => number): LoginBackOff =>
  createLoginBackOff({
    shared: attemptsInMemory(STREAK_RULES, nowMs),
    own: attemptsInMemory(STREAK_RULES, nowMs),
    isSharedUp: () => true,
    log: { warn: () => undefined },
  });

/** A port that the test does not expect to be used: says its name when it is. */
const only = <Port extends object>(name: string, given: Partial<Port> = {}): Port =>
  new Proxy(given, {
    get: (target, member) =>
      Reflect.get(target, member) ?? (() => Promise.reject(new Error(`${name}.${String(member)} was not expected`))),
  }) as Port; // what is not given is a function that fails

export const HEALTHY: HealthMonitor = {
  start: () => Promise.resolve(),
  stop: () => undefined,
  dependency: () => ({ up: true, since: '2026-05-01T12:00:00.000Z', reason: null }),
  loops: () => [],
  quarantine: () => null,
  emergencyStop: () => null,
  loopsReadable: () => true,
  schemaFault: () => null,
};

export interface Attempt extends AuditEntry {
  readonly user: string;
}

export interface AppUnderTest {
  readonly url: string;
  readonly ports: AppPorts;
  /** What was written to the audit outside of transactions. */
  readonly attempts: readonly Attempt[];
  call(method: string, path: string, options?: CallOptions): Promise<Called>;
  close(): Promise<void>;
}

export interface CallOptions {
  readonly as?: Role;
  readonly body?: unknown;
  readonly rawBody?: string;
  readonly headers?: Record<string, string>;
}

export interface Called {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: AnswerBody;
}

/** What answers of the API may have; what one does not have is undefined. */
export interface AnswerBody {
  readonly [other: string]: unknown;
  readonly type: string;
  readonly code: string;
  readonly detail: string;
  readonly requestId: string;
  readonly errors: readonly { readonly pointer: string; readonly message: string }[];
  readonly items: readonly { readonly feederId: string; readonly dispatchId: string }[];
  readonly nextCursor: string | null;
  readonly accessToken: string;
  readonly state: string;
  readonly temporalUrl: string | null;
  readonly supersedes: readonly string[];
  readonly effectiveAt: string | null;
  readonly unconfirmed: string | null;
  readonly planId: string;
  readonly flow: { readonly kw: number };
  readonly workflow: unknown;
  readonly workflowUnavailable: string | null;
  readonly status: string;
  readonly problems: readonly string[];
  readonly openapi: string;
}

type Store =
  | 'jobs'
  | 'runs'
  | 'schedules'
  | 'feeders'
  | 'loops'
  | 'devices'
  | 'telemetry'
  | 'dispatches'
  | 'registry'
  | 'envelopes'
  | 'backups'
  | 'plans'
  | 'quarantine'
  | 'machineTokens'
  | 'revocations'
  | 'emergencyStop'
  | 'workflows';
/** Of the stores only what the test needs. */
export type Given = Partial<Omit<AppPorts, Store | 'settings'>> & {
  readonly [Name in Store]?: Partial<AppPorts[Name]>;
} & { readonly settings?: Partial<AppPorts['settings']> };

/** The app on a port of its own, with ports that fail unless the test gives them. */
export async function startApp(given: Given = {}): Promise<AppUnderTest> {
  const attempts: Attempt[] = [];
  const log = given.log ?? createLogger({ service: 'derms', role: 'test', level: 'silent', pretty: false });
  const metrics = given.metrics ?? createApiMetrics(new Registry());
  const audit: AppPorts['audit'] = given.audit ?? {
    list: () => Promise.resolve([]),
    export: () => nothing(),
    append: ({ user }, entry) => {
      attempts.push({ user, ...entry });
      return Promise.resolve();
    },
  };
  const refusals =
    given.refusals ??
    createRefusalSums({ append: audit.append, failures: metrics.auditFailures, log, now: () => new Date() });
  const ports: AppPorts = {
    log,
    metrics,
    refusals,
    authentication: given.authentication ?? authenticationOf(),
    tokenRegister: given.tokenRegister ?? UNREVOKED,
    machineTokens: only('machineTokens', given.machineTokens),
    revocations: only('revocations', given.revocations),
    health: given.health ?? HEALTHY,
    secrets: given.secrets ?? { problems: () => [] },
    brokerPair: given.brokerPair ?? { problems: () => [] },
    stopping: given.stopping ?? (() => false),
    feeders: only('feeders', given.feeders),
    loops: only('loops', given.loops),
    devices: only('devices', given.devices),
    telemetry: only('telemetry', given.telemetry),
    dispatches: only('dispatches', given.dispatches),
    jobs: { deployment: 'production', declared: new Map(), schedules: [], figures: () => null, ...given.jobs },
    runs: only('runs', given.runs),
    schedules: only('schedules', given.schedules),
    rateLimiter: given.rateLimiter ?? UNLIMITED,
    readPlaces: given.readPlaces ?? createReadPlaces({ perCaller: 100, inAll: 100, mostWaiting: 100, waitMs: 5_000 }),
    streams: given.streams ?? createStreamPlaces({ perUser: 2, inAll: 3 }),
    planning: given.planning ?? createPlanningTurns({ mostWaiting: 8, waitMs: 5_000 }),
    registry: only('registry', given.registry),
    backups: only('backups', given.backups),
    envelopes: only('envelopes', given.envelopes),
    plans: only('plans', given.plans),
    emergencyStop: only('emergencyStop', given.emergencyStop),
    quarantine: only('quarantine', { inForce: () => Promise.resolve(null), ...given.quarantine }),
    workflows: only('workflows', { unavailable: () => Promise.resolve(null), ...given.workflows }),
    audit,
    settings: {
      quarantined: false,
      issuer: 'derms-production',
      trustedProxies: [],
      corsOrigins: [],
      staleSeconds: 30,
      temporalUiUrl: 'http://127.0.0.1:8233/',
      temporalNamespace: 'derms',
      metricsPath: '/metrics',
      metricsEnabled: true,
      requestTimeoutMs: 5_000,
      confirmCancelWithinMs: 2_000,
      checkAnswers: true,
      ...given.settings,
    },
  };
  const server = createServer(createApp(ports));
  const url = await listen(server);
  return {
    url,
    ports,
    attempts,
    call: (method, path, options) => call(url, method, path, options),
    close: () =>
      new Promise((resolve) => {
        void refusals.stop();
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

async function* nothing(): AsyncGenerator<never> {
  yield* [];
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
}

async function call(
  url: string,
  method: string,
  path: string,
  { as, body, rawBody, headers }: CallOptions = {},
): Promise<Called> {
  const sent = rawBody ?? (body === undefined ? undefined : JSON.stringify(body));
  const response = await fetch(`${url}${path}`, {
    method,
    headers: {
      ...(sent === undefined ? {} : { 'content-type': 'application/json' }),
      ...(as === undefined ? {} : bearer(as)),
      ...headers,
    },
    ...(sent === undefined ? {} : { body: sent }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: parsed(text) as AnswerBody }; // of our API, or undefined
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
