import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { startProgram } from '../../../local/program';
import { startTestSystem, type TestSystem } from '../../../local/test-system';
import { freePort } from '../../../servers/free-port';
import type { ChildProcess } from '../../../servers/child-process';
import { eventually } from '../../support/servers';

// Compiled programs, several beside one database, as a deployment has them.
const BUILT = join(__dirname, '../../../dist/api/main.js');
/** What the API promises, ms. */
const EVERYWHERE_WITHIN_MS = 5_000;

let system: TestSystem;
const started: ChildProcess[] = [];

interface Replica {
  readonly url: string;
  readonly process: ChildProcess;
  login(user: 'admin' | 'operator', password?: string): Promise<Response>;
  token(user: 'admin' | 'operator'): Promise<string>;
  /** The status that a call with this token has. */
  status(token: string, path?: string): Promise<number>;
  post(token: string, path: string, body: unknown): Promise<Record<string, unknown>>;
}

async function startReplica(
  env: Record<string, string> = {},
  ready: '/api/ready' | '/api/health' = '/api/ready',
  port?: number,
): Promise<Replica> {
  const at = port ?? (await freePort());
  const url = `http://127.0.0.1:${String(at)}`;
  const name = `api-${String(at)}`;
  const process = await startProgram({
    ...{ name, script: BUILT, args: [], cwd: system.stack.folder },
    env: { ...system.environments.api, API_PORT: String(at), INSTANCE_ID: String(at), ...env },
    logFile: join(system.stack.folder, `${name}.log`),
    readyUrls: [`${url}${ready}`],
  });
  started.push(process);
  const json = { 'content-type': 'application/json' };
  const call = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`${url}${path}`, { ...init, signal: AbortSignal.timeout(20_000) });
  const login: Replica['login'] = (user, password = system.secrets.users[user]) =>
    call('/api/auth/login', { method: 'POST', headers: json, body: JSON.stringify({ user, password }) });
  return {
    url,
    process,
    login,
    token: async (user) => ((await (await login(user)).json()) as { accessToken: string }).accessToken,
    status: async (token, path = '/api/feeders') =>
      (await call(path, { headers: { authorization: `Bearer ${token}` } })).status,
    post: async (token, path, body) => {
      const headers = { ...json, authorization: `Bearer ${token}` };
      const response = await call(path, { method: 'POST', headers, body: JSON.stringify(body) });
      expect(response.ok).toBe(true);
      return (await response.json()) as Record<string, unknown>; // of our own API
    },
  };
}

let one: Replica;
let other: Replica;
beforeAll(async () => {
  if (!existsSync(BUILT)) throw new Error('dist/ is not there: run npm run build');
  system = await startTestSystem();
  [one, other] = [await startReplica(), await startReplica()];
}, 120_000);
afterAll(async () => {
  await Promise.all(started.map((process) => process.stop()));
  await system.stop();
}, 60_000);

const refusedBy = (replica: Replica, token: string): Promise<void> =>
  eventually(async () => expect(await replica.status(token)).toBe(401), EVERYWHERE_WITHIN_MS);

describe('two replicas', () => {
  it('take each other’s tokens, and both end at once where a moment is set, within 5 s elsewhere, and after a restart', async () => {
    const early = await one.token('operator');
    expect([await one.status(early), await other.status(early)]).toEqual([200, 200]);
    const admin = await one.token('admin');
    await one.post(admin, '/api/auth/revocations', { reason: 'a laptop was stolen' });
    expect([await one.status(early), await one.status(admin)]).toEqual([401, 401]);
    await refusedBy(other, early);

    const late = await other.token('operator');
    expect([await one.status(late), await other.status(late)]).toEqual([200, 200]);
    await other.process.stop();
    other = await startReplica();
    expect([await other.status(early), await other.status(late)]).toEqual([401, 200]);
  }, 60_000);

  it('know a machine’s token, what it may, and its end', async () => {
    const admin = await one.token('admin');
    const asked = { name: 'scraper', scopes: ['read:feeders'], purpose: 'a test' };
    const { token, machineToken } = await one.post(admin, '/api/auth/machine-tokens', asked);
    const machine = String(token);
    expect([await one.status(machine), await one.status(machine, '/api/runs')]).toEqual([200, 403]);
    await eventually(async () => expect(await other.status(machine)).toBe(200), EVERYWHERE_WITHIN_MS);
    const { tokenId } = machineToken as { tokenId: string };
    await other.post(admin, `/api/auth/machine-tokens/${tokenId}/revoke`, { reason: 'no more needed' });
    expect(await other.status(machine)).toBe(401);
    await refusedBy(one, machine);
  }, 60_000);

  it('count failed log-ins together', async () => {
    const statuses: number[] = [];
    for (const replica of [one, other, one, other, one, other])
      statuses.push((await replica.login('operator', 'wrong')).status);
    expect(statuses).toEqual([401, 401, 401, 401, 401, 429]);
    await eventually(async () => expect((await other.login('operator')).status).toBe(200), 10_000, 500);
  }, 60_000);

  it('seal what is written to the audit log, each entry once, with no worker there', async () => {
    const { host, port, superuser: user, password } = system.stack.postgres;
    const owner = new Client({ host, port, user, password, database: 'derms' });
    await owner.connect();
    try {
      const admin = await one.token('admin');
      for (const replica of [one, other, one, other])
        await replica.post(admin, '/api/auth/machine-tokens', {
          name: 'n',
          scopes: ['read:feeders'],
          purpose: 'a test',
        });
      await eventually(async () => {
        const { rows } = await owner.query<{ open: string }>(
          'select count(*) as open from audit_log a where not exists (select from audit_chain c where c.entry_id = a.id)',
        );
        expect(rows[0]?.open).toBe('0');
      });
      const { rows } = await owner.query<{ links: string; entries: string; written: string }>(
        `select count(*) as links, count(distinct entry_id) as entries, (select count(*) from audit_log) as written
           from audit_chain`,
      );
      const [{ links, entries, written } = { links: '', entries: '', written: '' }] = rows;
      expect([links, entries]).toEqual([written, written]);
      expect(Number(written)).toBeGreaterThanOrEqual(4);
    } finally {
      await owner.end();
    }
  }, 60_000);

  it('refuse what another environment issued, also on the same database under the same secret', async () => {
    const staging = await startReplica({ DEPLOYMENT: 'staging' });
    const token = await staging.token('operator');
    expect([await staging.status(token), await one.status(token)]).toEqual([200, 401]);
    expect(await staging.status(await one.token('operator'))).toBe(401);
    await staging.process.stop();
  }, 120_000);
});

describe('while the database hangs', () => {
  it('who is logged in stays so and who is not can log in; a process that starts then takes new tokens only', async () => {
    const before = await one.token('operator');
    system.stack.postgres.suspend();
    try {
      await eventually(async () => {
        const health = (await (await fetch(`${one.url}/api/health`)).json()) as {
          dependencies: { database: { up: boolean } };
        };
        expect(health.dependencies.database.up).toBe(false);
      });
      const during = await one.login('operator');
      expect(during.status).toBe(200);
      expect(await one.status(before, '/api/jobs')).not.toBe(401);
      const fresh = await startReplica({}, '/api/health');
      expect(await fresh.status(before, '/api/jobs')).toBe(401);
      expect(await fresh.status(await fresh.token('operator'), '/api/jobs')).not.toBe(401);
    } finally {
      system.stack.postgres.resume();
    }
    const again = await one.token('operator');
    await eventually(async () => expect(await one.status(again)).toBe(200));
  }, 120_000);
});
