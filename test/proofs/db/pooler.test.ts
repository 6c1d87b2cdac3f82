import { join } from 'node:path';
import { Client } from 'pg';
import { freePort, LOOPBACK } from '../../../servers/free-port';
import type { ChildProcess } from '../../../servers/child-process';
import { startTestSystem, type TestSystem } from '../../../local/test-system';
import { apiAs, databaseOf, DEMO, metric } from '../../e2e/support';
import { eventually } from '../../support/servers';
import { showPools, startTransactionPooler } from './transaction-pooler';

// The whole system with PgBouncer in transaction mode before PostgreSQL; `DB_DIRECT_HOST` goes around it.

let port: number;
let system: TestSystem;
let pooler: ChildProcess;
let operator: Awaited<ReturnType<typeof apiAs>>;

beforeAll(async () => {
  port = await freePort();
  system = await startTestSystem({ env: { DB_HOST: LOOPBACK, DB_PORT: String(port) } });
  pooler = await startTransactionPooler({
    ...{ folder: join(system.stack.folder, 'pooler'), port, serverPort: system.stack.postgres.port },
    ...login(),
  });
  await Promise.all([system.start('api'), system.start('worker')]);
  await system.derms('registry', 'apply', DEMO);
  await system.start('simulator', ['--registry', DEMO, '--seed', '1']);
  operator = await apiAs(system, 'operator');
}, 180_000);
afterAll(async () => {
  await system.stop();
  await pooler.stop();
}, 60_000);

const login = () => ({
  user: system.environments.worker['DB_USER']!,
  password: system.environments.worker['DB_PASSWORD']!,
});
async function run(jobName: string): Promise<Record<string, unknown>> {
  const started = await operator('POST', `/api/jobs/${jobName}/runs`, {});
  expect(started.status).toBe(202);
  return eventually(
    async () => {
      const { body } = await operator('GET', `/api/runs/${String(started.body['runId'])}`);
      expect(body['finishedAt']).not.toBeNull();
      return body;
    },
    120_000,
    250,
  );
}

describe('pitfall: behind a pooler in transaction mode', () => {
  it.each(['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'options'])(
    'a session that sets %s as it starts is refused, as ours must not be',
    async (parameter) => {
      const client = new Client({
        ...{ host: LOOPBACK, port, database: 'derms', ...login() },
        ...(parameter === 'options' ? { options: '-c work_mem=4MB' } : { [parameter]: 1_000 }),
      });
      await expect(client.connect()).rejects.toThrow('unsupported startup parameter');
    },
  );

  it('the feeder is under control, and what an operator asks for is done', async () => {
    await eventually(
      async () => {
        for (const feeder of ['substation-north', 'substation-south'])
          expect(await metric(`${system.apiUrl}/metrics`, 'derms_control_loop_ok', { feeder })).toBe(1);
      },
      60_000,
      250,
    );
    const key = { 'idempotency-key': crypto.randomUUID() };
    const endsAt = new Date(Date.now() + 120_000).toISOString();
    const order = { feederId: 'elm-street', importLimitKw: 80, endsAt, reason: 'transformer runs hot' };
    const accepted = await operator('POST', '/api/dispatches', order, key);
    expect(accepted.status).toBe(202);
    const again = await operator('POST', '/api/dispatches', order, key);
    expect(again.body['dispatchId']).toBe(accepted.body['dispatchId']);
    await eventually(async () => {
      const { body } = await operator('GET', `/api/dispatches/${String(accepted.body['dispatchId'])}`);
      expect(body['state']).toBe('active');
    }, 30_000);
  });

  it('time limits are those of the role, whatever session serves the transaction', async () => {
    const db = databaseOf(system);
    const { rows } = await db.query(
      `select current_setting('statement_timeout') as s, current_setting('lock_timeout') as l`,
    );
    expect(rows).toEqual([{ s: '30s', l: '5s' }]);
    await db.close();
  });

  it.each(['db-backup', 'telemetry-retention', 'restore-drill', 'backup-verify', 'tick-audit'])(
    '%s does its work, what needs a session around the pooler',
    async (jobName) => {
      expect(await run(jobName)).toMatchObject({ state: 'succeeded', failure: null });
    },
  );

  it('many clients of ours have shared few sessions', async () => {
    const pools = await showPools({ port, ...login() });
    const ours = pools.find(({ database }) => database === 'derms');
    expect(ours?.pool_mode).toBe('transaction');
    expect(Number(ours?.cl_active)).toBeGreaterThan(5);
  });
});
