import { setTimeout as sleep } from 'node:timers/promises';
import { createLogger } from '../../../observability/logger';
import { DrillRefused, type DrillReport } from '../../../drills/drill';
import { readMetricsPage } from '../../../drills/metrics-page';
import { runDrill } from '../../../drills/run-drill';
import { startBrokerPair, type BrokerPair } from '../../../local/failover/broker-pair';
import { startPostgresLaboratory, type PostgresLaboratory } from '../../../local/failover/laboratory';
import { drillSurroundings } from '../../../worker/drill-ports';
import { brokerCanary } from '../../../drills/mqtt/canary';
import { mqttFailover } from '../../../drills/mqtt/mqtt-failover';
import type { Database } from '../../../db/pool';
import { apiAs, databaseOf, DEMO, metric } from '../../e2e/support';
import { eventually } from '../../support/servers';
import { operatorsProgram, type OperatorsProgram } from './operators-program';

// The drills as people and schedules start them: a job in Temporal, carried out by the worker with programs of an operator.
// A primary, a standby, HAProxy, PgBouncer and two brokers are behind it.

/** It has no other role than control, so that no drill runs on it: it may be killed. */
const SPARE_WORKER = 'spare';

/** For whoever reads the run: figures of this machine. */
const measured = (line: string): void => void process.stderr.write(`${line}\n`);

let laboratory: PostgresLaboratory;
let brokers: BrokerPair;
let postgresProgram: OperatorsProgram;
let brokerProgram: OperatorsProgram;
let workerProgram: OperatorsProgram;
let db: Database;
let operator: Awaited<ReturnType<typeof apiAs>>;

beforeAll(async () => {
  postgresProgram = await operatorsProgram(async ([what, primary]) => {
    const { pair } = laboratory;
    if (what === 'crash') {
      await pair.primary().server.kill();
      await sleep(1_500); // a manager of clusters asks a few times before it gives a primary up
      await pair.promote();
    } else if (what === 'rejoin') {
      if (pair.primary().login.name === primary) pair.promoted(); // by SQL, past us
      await pair.rejoin();
    } else throw new Error(`nobody here can do ${String(what)}`);
  });
  brokerProgram = await operatorsProgram(async ([what, address]) => {
    const place = address?.endsWith(`:${String(brokers.primary.port)}`) ? 'primary' : 'standby';
    if (what === 'return') await brokers.acts.comeBack();
    else if (what === 'crash' || what === 'hung') await brokers.acts.lose(what, place, nobody);
    else throw new Error(`nobody here can do ${String(what)}`);
  });
  workerProgram = await operatorsProgram(async ([what]) => {
    const { system } = laboratory;
    if (what === 'crash') await system.replica(SPARE_WORKER).kill();
    else if (what === 'ready') await system.startReplica(SPARE_WORKER, 'control');
    else throw new Error(`nobody here can do ${String(what)}`);
  });
  laboratory = await startPostgresLaboratory({
    synchronous: true,
    besides: async (stack, { pair, front }) => {
      brokers = await startBrokerPair(stack);
      const { poolerAdmin, pgbouncer } = front;
      const url = (login: { user: string; password: string }, address: string, database: string): string =>
        `postgres://${login.user}:${login.password}@${address}/${database}`;
      return {
        env: {
          ...brokers.env,
          MQTT_DRILL_COMMAND: JSON.stringify(brokerProgram.words),
          WORKER_DRILL_COMMAND: JSON.stringify(workerProgram.words),
          POSTGRES_DRILL_NODES: [pair.a, pair.b].map((node) => url(node, node.name, 'derms')).join(),
          POSTGRES_DRILL_POOLER_URL: url(poolerAdmin, `${pgbouncer.host}:${String(pgbouncer.port)}`, 'pgbouncer'),
          POSTGRES_DRILL_COMMAND: JSON.stringify(postgresProgram.words),
        },
        stop: () => brokers.stop(),
      };
    },
  });
  const { system } = laboratory;
  await Promise.all([system.start('api'), system.start('worker')]);
  await system.derms('registry', 'apply', DEMO);
  await system.start('simulator', ['--registry', DEMO, '--seed', '1']);
  db = databaseOf(system);
  operator = await apiAs(system, 'operator');
}, 600_000);
afterAll(async () => {
  await db.close();
  await laboratory.stop();
  await Promise.all([postgresProgram.close(), brokerProgram.close(), workerProgram.close()]);
}, 60_000);

const nobody = { signal: new AbortController().signal, step: () => undefined, figure: () => undefined };
const metrics = (): string => `${laboratory.system.apiUrl}/metrics`;

/** Every loop has planned, and no device is offline: nothing speaks against a drill. */
const calm = () =>
  eventually(
    async () => {
      const page = await readMetricsPage(metrics());
      expect(page.having('derms_control_loop_ok', 1)).toHaveLength(2);
      expect(page.sum('derms_control_loop_offline_devices')).toBe(0);
    },
    90_000,
    500,
  );

interface Run {
  readonly state: string;
  readonly failure: { readonly code: string; readonly message: string } | null;
  readonly result: DrillReport;
  readonly evidence: readonly { readonly kind: string; readonly data: DrillReport }[];
  readonly finishedAt: string | null;
}

async function run(jobName: string, scenario: string): Promise<{ runId: string; run: Run }> {
  const { status, body } = await operator('POST', `/api/jobs/${jobName}/runs`, { scenario });
  expect(status).toBe(202);
  const runId = String(body['runId']);
  const done = await eventually(
    async () => {
      const answer = await operator('GET', `/api/runs/${runId}`);
      expect([answer.status, answer.body['finishedAt']]).toEqual([200, expect.any(String)]);
      return answer.body as unknown as Run;
    },
    150_000,
    500,
  );
  return { runId, run: done };
}

/** What is told of a drill when it is over: to who looks at the run, in Postgres, and to Prometheus. */
async function toldOf(drill: string, runId: string, { evidence }: Run) {
  const { rows } = await db.query<{ verdict: string }>('select verdict from drill_reports where run_id = $1', [runId]);
  const listed = (await operator('GET', `/api/runs?job=${drill}-drill`)).body['items'] as { runId: string }[];
  return {
    evidence: evidence.map(({ kind, data }) => [kind, data.runId, data.verdict]),
    inPostgres: rows.map(({ verdict }) => verdict),
    listed: listed.map((each) => each.runId).includes(runId),
    passed: await eventually(async () => {
      const passed = await metric(metrics(), 'derms_drill_last_passed', { drill });
      expect(passed).toBe(1);
      return passed;
    }, 20_000),
  };
}

describe('a drill that somebody starts', () => {
  it.each([
    ['postgres-failover', 'planned', 'derms_db_up', null],
    ['postgres-failover', 'crash', 'derms_db_up', expect.any(String)],
    ['mqtt-failover', 'crash', 'derms_mqtt_up', expect.any(String)],
  ])(
    '%s, %s: is carried out by the worker and kept with its verdict',
    async (drill, scenario, gauge, downAt) => {
      await calm();
      const { runId, run: done } = await run(`${drill}-drill`, scenario);
      measured(JSON.stringify({ drill, scenario, state: done.state, failure: done.failure }));
      expect([done.state, done.failure]).toEqual(['succeeded', null]);
      measured(JSON.stringify(done.result.canary));
      expect(done.result).toMatchObject({ verdict: 'passed', faults: [], scenario, gauge: { name: gauge, downAt } });
      expect(done.result.canary.lost).toBe(0);
      expect(await toldOf(drill, runId, done)).toEqual({
        evidence: [['drill', runId, 'passed']],
        inPostgres: ['passed'],
        listed: true,
        passed: 1,
      });
    },
    300_000,
  );

  it('has asked the programs for each part, by its address', () => {
    const { pair } = laboratory;
    expect(postgresProgram.calls.map(([what]) => what)).toEqual(['rejoin', 'crash', 'rejoin']);
    expect(new Set(postgresProgram.calls.flatMap(([, ...names]) => names))).toEqual(
      new Set([pair.a.name, pair.b.name]),
    );
    expect(brokerProgram.calls[0]).toEqual(['crash', `127.0.0.1:${String(brokers.primary.port)}`]);
    expect(brokerProgram.calls.slice(1).map(([what]) => what)).toEqual(['return', 'return']);
  });
});

it('worker-crash: another worker goes on with every loop, and the program has brought the one that was killed back', async () => {
  await laboratory.system.startReplica(SPARE_WORKER, 'control');
  await calm();
  const { runId, run: done } = await run('worker-crash-drill', 'crash');
  measured(JSON.stringify({ drill: 'worker-crash', ...done.result.figures, failure: done.failure }));
  expect([done.state, done.failure]).toEqual(['succeeded', null]);
  expect(done.result).toMatchObject({
    verdict: 'passed',
    faults: [],
    gauge: { name: 'derms_control_loop_ok', downAt: null },
  });
  expect(await toldOf('worker-crash', runId, done)).toMatchObject({ inPostgres: ['passed'], listed: true, passed: 1 });
  expect(workerProgram.calls).toEqual([['crash'], ['ready']]);
  await laboratory.system.replica(SPARE_WORKER).stop();
}, 300_000);

describe('a drill that must not begin', () => {
  const untouched = async (jobName: string, reason: RegExp): Promise<void> => {
    const before = [postgresProgram.calls.length, brokerProgram.calls.length, laboratory.pair.primary().name];
    const { run: done } = await run(jobName, 'crash');
    expect([done.state, done.failure?.message]).toEqual(['skipped', expect.stringMatching(reason)]);
    expect([postgresProgram.calls.length, brokerProgram.calls.length, laboratory.pair.primary().name]).toEqual(before);
  };

  it('does not during a dispatch', async () => {
    await calm();
    const order = {
      ...{ feederId: 'elm-street', importLimitKw: 80, reason: 'transformer runs hot' },
      endsAt: new Date(Date.now() + 600_000).toISOString(),
    };
    const accepted = await operator('POST', '/api/dispatches', order, { 'idempotency-key': crypto.randomUUID() });
    expect(accepted.status).toBe(202);
    const id = String(accepted.body['dispatchId']);
    await untouched('mqtt-failover-drill', new RegExp(`dispatches are under way or about to begin: ${id}`));
    await operator('POST', `/api/dispatches/${id}/cancel`, { reason: 'it is cool again' });
  }, 180_000);

  it('does not while an incident is open', async () => {
    const admin = await apiAs(laboratory.system, 'admin');
    await admin('POST', '/api/emergency-stop', { safeState: 'default', reason: 'people on the line' });
    await eventually(async () => expect(await metric(metrics(), 'derms_emergency_stop')).toBe(1), 20_000);
    await untouched('postgres-failover-drill', /an incident is open: an emergency stop is in force/);
    await admin('DELETE', '/api/emergency-stop?reason=they+are+gone');
  }, 180_000);

  it('does not in production without DRILLS_IN_PRODUCTION, whatever is configured', async () => {
    const { system } = laboratory;
    const lost: string[] = [];
    const log = createLogger({ service: 'derms', role: 'proof', level: 'silent', pretty: false });
    const drill = (allowed: boolean) => {
      const { primary } = brokers;
      const broker = {
        host: primary.host,
        port: primary.port,
        ...system.stack.brokerUser,
        prefix: 'der',
        clientId: '',
      };
      const runId = crypto.randomUUID();
      return runDrill(
        mqttFailover({
          ...{ scenario: 'crash', metricsUrl: metrics(), canary: brokerCanary(broker, runId, log) },
          acts: {
            lose: async () => void lost.push('lost'),
            comeBack: () => Promise.resolve(),
          },
        }),
        drillSurroundings(
          {
            ...{ DEPLOYMENT: 'production', DRILLS_IN_PRODUCTION: allowed, DRILL_METRICS_URL: metrics() },
            ...{ DERMS_API_URL: system.apiUrl, PROMETHEUS_PATH: '/metrics' },
          },
          db,
        ),
        { runId, signal: new AbortController().signal, onStep: () => undefined },
      );
    };
    await expect(drill(false)).rejects.toThrow(DrillRefused);
    await expect(drill(false)).rejects.toThrow('this is production, and DRILLS_IN_PRODUCTION is not true');
    expect(lost).toEqual([]);
  }, 60_000);
});
