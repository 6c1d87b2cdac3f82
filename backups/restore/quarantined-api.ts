import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { startChild } from '../../servers/child-process';
import { freePort, LOOPBACK } from '../../servers/free-port';
import { makeRunFolder, sweepRunFolders } from '../../servers/run-folder';
import { untilReady } from '../../servers/ready';
import type { PostgresAccess } from '../postgres/server';
import { RestoreFailure } from './failure';

export interface QuarantinedApiOptions {
  /** Compiled `api/main.js`. */
  readonly script: string;
  readonly database: PostgresAccess;
  /** Its log is kept below, and its process written down, until it has ended. */
  readonly parent: string;
  readonly signal: AbortSignal;
  /** As `AUTH_USERS` wants it. */
  readonly hashPassword: (password: string) => Promise<string>;
}

/** What the restored application said. */
export interface QuarantinedAnswers {
  readonly health: string;
  readonly feeders: number;
  readonly devices: number;
  readonly dispatches: number;
  /** One of the counts stopped before the end: there was more. */
  readonly cutShort: boolean;
}

const READY_WITHIN_MS = 60_000;
const ANSWER_WITHIN_MS = 15_000;
/** Pages of 500: enough to show that it reads. */
const MOST_PAGES = 40;
const PREFIX = 'derms-drill-';
/** Nobody listens there: what a quarantined process must not call it could not even reach. */
const NOWHERE_PORT = 9;

/**
 * Boots our API on a restored database, quarantined: no broker, no Temporal, no outgoing call. Asks it for its health,
 * feeders, devices and dispatches, and ends it.
 *
 * @throws {RestoreFailure} RESTORED_APP_FAILED
 */
export async function askQuarantinedApi(options: QuarantinedApiOptions): Promise<QuarantinedAnswers> {
  mkdirSync(options.parent, { recursive: true });
  await sweepQuarantinedApis(options.parent);
  const port = await freePort();
  const url = `http://${LOOPBACK}:${String(port)}`;
  const password = randomBytes(18).toString('base64url');
  const folder = makeRunFolder(options.parent, PREFIX);
  const child = await startChild({
    name: 'the API on the restored database',
    program: process.execPath,
    args: [options.script],
    env: await environment(options, port, password),
    logFile: join(folder.path, 'api.log'),
  });
  folder.record.add(child.name, child.pid);
  try {
    await untilReady(child, () => isReady(url), { withinMs: READY_WITHIN_MS, signal: options.signal });
    return await ask(url, password, options.signal);
  } catch (cause) {
    options.signal.throwIfAborted();
    if (cause instanceof RestoreFailure) throw cause;
    throw new RestoreFailure('RESTORED_APP_FAILED', cause instanceof Error ? cause.message : String(cause), { cause });
  } finally {
    await child.stop();
    folder.remove();
  }
}

/** Ends those of drills that were killed; returns how many. */
export const sweepQuarantinedApis = (parent: string): Promise<number> => sweepRunFolders(parent, PREFIX, []);

const USER = 'restore-drill';

async function environment(
  { database, hashPassword }: QuarantinedApiOptions,
  port: number,
  password: string,
): Promise<NodeJS.ProcessEnv> {
  const { host, port: databasePort, database: name, user, password: databasePassword, tls = null } = database;
  return {
    QUARANTINE: 'true',
    LOG_LEVEL: 'warn',
    ...{ DB_HOST: host, DB_PORT: String(databasePort), DB_NAME: name, DB_USER: user, DB_PASSWORD: databasePassword },
    ...(tls === null ? {} : { DB_SSLMODE: tls.verify ? 'verify-full' : 'require' }),
    ...(tls?.caPath === undefined ? {} : { DB_SSL_CA_PATH: tls.caPath }),
    ...{ DB_POOL_SIZE: '4', DB_QUERY_TIMEOUT_MS: '30000' },
    ...{
      MQTT_HOST: LOOPBACK,
      MQTT_PORT: String(NOWHERE_PORT),
      TEMPORAL_ADDRESS: `${LOOPBACK}:${String(NOWHERE_PORT)}`,
    },
    ...{ API_HOST: LOOPBACK, API_PORT: String(port), JWT_SECRET: randomBytes(32).toString('hex') },
    AUTH_USERS: JSON.stringify([
      { user: USER, role: 'viewer', passwordSetOn: today(), hash: await hashPassword(password) },
    ]),
  };
}

const today = (): string => new Date().toISOString().slice(0, 10);

async function isReady(url: string): Promise<void> {
  const { ok, status } = await fetch(`${url}/api/ready`, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
  if (!ok) throw new Error(`it is not ready (${String(status)})`);
}

async function ask(url: string, password: string, signal: AbortSignal): Promise<QuarantinedAnswers> {
  const call = async (path: string, init: RequestInit = {}): Promise<Record<string, unknown>> => {
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_WITHIN_MS)]);
    const response = await fetch(`${url}${path}`, { ...init, signal: bounded });
    if (!response.ok)
      throw failed(`${path} answers ${String(response.status)}: ${(await response.text()).slice(0, 500)}`);
    return (await response.json()) as Record<string, unknown>; // of our own API
  };
  const health = await healthOf(() => call('/api/health'), signal);
  const login = { method: 'POST', body: JSON.stringify({ user: USER, password }) };
  const { accessToken } = await call('/api/auth/login', { ...login, headers: { 'content-type': 'application/json' } });
  const headers = { authorization: `Bearer ${String(accessToken)}` };
  const counts: Counted[] = [];
  for (const path of ['/api/feeders', '/api/devices?limit=500', '/api/dispatches?limit=500'])
    counts.push(await countItems((page) => call(page, { headers }), path));
  const [feeders, devices, dispatches] = counts as [Counted, Counted, Counted]; // as many as there are paths
  return {
    health,
    feeders: feeders.items,
    devices: devices.items,
    dispatches: dispatches.items,
    cutShort: counts.some(({ cutShort }) => cutShort),
  };
}

/** Its first look at the database may still be under way. */
async function healthOf(look: () => Promise<Record<string, unknown>>, signal: AbortSignal): Promise<string> {
  for (let tries = 0; ; tries += 1) {
    const { status, quarantined, dependencies, problems } = (await look()) as {
      status: string;
      quarantined: boolean;
      dependencies: { database: { up: boolean } };
      problems: string[];
    };
    if (!quarantined) throw failed('the API on the restored database does not say that it is quarantined');
    if (dependencies.database.up) return `${status}: ${problems.join('; ')}`;
    if (tries >= 20) throw failed(`the API does not reach the restored database: ${problems.join('; ')}`);
    await new Promise((resolve) => setTimeout(resolve, 250));
    signal.throwIfAborted();
  }
}

interface Counted {
  readonly items: number;
  readonly cutShort: boolean;
}

async function countItems(call: (path: string) => Promise<Record<string, unknown>>, path: string): Promise<Counted> {
  let items = 0;
  let cursor: string | null = null;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const more = cursor === null ? '' : `${path.includes('?') ? '&' : '?'}cursor=${encodeURIComponent(cursor)}`;
    const answer = (await call(`${path}${more}`)) as { items: unknown[]; nextCursor?: string | null };
    items += answer.items.length;
    cursor = answer.nextCursor ?? null;
    if (cursor === null) return { items, cutShort: false };
  }
  return { items, cutShort: true };
}

const failed = (message: string): RestoreFailure => new RestoreFailure('RESTORED_APP_FAILED', message);
