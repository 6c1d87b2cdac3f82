import { setTimeout as sleep } from 'node:timers/promises';
import { brokerAccess, databaseAccess, directDatabaseAccess } from '../config/connections';
import { accessOf } from '../config/postgres-url';
import type { Settings } from '../config/schema';
import { liveDispatches, recordDrill } from '../db/drill-reports';
import { openDatabase, type Database } from '../db/pool';
import type { DrillName } from '../domain/drills';
import { runActCommand } from '../drills/act-command';
import { BROKER_SCENARIOS, brokerActsByCommand } from '../drills/mqtt/acts';
import { brokerCanary } from '../drills/mqtt/canary';
import { mqttFailover } from '../drills/mqtt/mqtt-failover';
import { nodeLogin } from '../drills/postgres/node';
import { pgBouncer } from '../drills/postgres/pooler';
import { postgresFailover } from '../drills/postgres/postgres-failover';
import { FAILOVER_SCENARIOS, type PostgresActs } from '../drills/postgres/acts';
import { sqlActs } from '../drills/postgres/sql-acts';
import type { DrillReport } from '../drills/drill';
import { WORKER_SCENARIOS } from '../drills/workers/acts';
import { workerCrash } from '../drills/workers/worker-crash';
import { runDrill, type DrillSurroundings } from '../drills/run-drill';
import type { DrillPort } from '../jobs/runner/ports';
import { TASK_QUEUES } from '../workflows/messages';
import type { RoleProcess } from './role-process';

/** A drill with all around it is over by then, s: what begins before that is in its way. */
const DRILL_SECONDS = 600;
/** The part that was drilled may be our own database. */
const RECORD_WITHIN_MS = 60_000;
/** Of the canary, ms: what hangs must not hang it. */
const CANARY_TIMEOUT_MS = 2_000;
/** An orchestrator may take a minute to have a worker ready again, ms. */
const WORKER_COMMAND_WITHIN_MS = 120_000;

type Role = Pick<RoleProcess, 'settings' | 'secrets' | 'log'>;

/** Joins the drills to this deployment; a sentence where it lacks something for one. */
export const drillPorts = (
  role: Role,
  db: Database,
  workersOf: (queue: string) => Promise<number>,
): Readonly<Record<DrillName, DrillPort | string>> => ({
  'postgres-failover': postgresFailoverPort(role, db),
  'mqtt-failover': mqttFailoverPort(role, db),
  'worker-crash': workerCrashPort(role, db, () => workersOf(TASK_QUEUES.control)),
});

function workerCrashPort(role: Role, db: Database, workers: () => Promise<number>): DrillPort | string {
  const { WORKER_DRILL_COMMAND: words } = role.settings;
  if (words === undefined) return 'WORKER_DRILL_COMMAND is not set: nobody may kill a worker';
  const run = (word: string, signal: AbortSignal): Promise<void> =>
    runActCommand({ words, withinMs: WORKER_COMMAND_WITHIN_MS }, [word], signal);
  return {
    async run({ scenario, ...order }) {
      const known = WORKER_SCENARIOS.find((name) => name === scenario);
      if (known === undefined) throw new Error(`there is no scenario ${scenario}`);
      const drill = await workerCrash({
        scenario: known,
        acts: {
          workers,
          crash: ({ signal }) => run('crash', signal),
          bringBack: ({ signal }) => run('ready', signal),
        },
        database: canaryDatabase(role),
      });
      return runDrill(drill, drillSurroundings(role.settings, db), order);
    },
    recover: () => Promise.resolve(), // a worker that is gone is started again by what runs it
  };
}

function mqttFailoverPort({ settings, secrets, log }: Role, db: Database): DrillPort | string {
  const { MQTT_DRILL_COMMAND: words, MQTT_STANDBY_HOST: standby, MQTT_HOST: host, MQTT_PORT: port } = settings;
  if (words === undefined) return 'MQTT_DRILL_COMMAND is not set: nobody may stop a broker';
  if (standby === undefined) return 'MQTT_STANDBY_HOST is not set: there is no other broker';
  const acts = brokerActsByCommand(words, {
    primary: `${host}:${String(port)}`,
    standby: `${standby}:${String(settings.MQTT_STANDBY_PORT ?? port)}`,
  });
  const broker = { ...brokerAccess(settings, secrets), prefix: settings.MQTT_TOPIC_PREFIX, clientId: '' };
  return {
    async run({ scenario, ...order }) {
      const known = BROKER_SCENARIOS.find((name) => name === scenario);
      if (known === undefined) throw new Error(`there is no scenario ${scenario}`);
      const canary = brokerCanary(broker, order.runId, log);
      const surroundings = drillSurroundings(settings, db);
      const { metricsUrl } = surroundings;
      return runDrill(mqttFailover({ scenario: known, acts, canary, metricsUrl }), surroundings, order);
    },
    recover: () => acts.comeBack(),
  };
}

function postgresFailoverPort(role: Role, db: Database): DrillPort | string {
  const { settings, secrets } = role;
  const { POSTGRES_DRILL_NODES: nodes } = settings;
  if (nodes === undefined) return 'POSTGRES_DRILL_NODES is not set: nobody may promote a standby';
  const logins = nodes.map((url) => nodeLogin(accessOf(url)));
  const direct = directDatabaseAccess(settings, secrets);
  const { POSTGRES_DRILL_POOLER_URL: poolerUrl } = settings;
  const actsOf = (runId: string): PostgresActs =>
    sqlActs({
      runId,
      nodes: logins,
      pooler: poolerUrl === undefined ? null : pgBouncer(accessOf(poolerUrl)),
      command: settings.POSTGRES_DRILL_COMMAND ?? null,
      commandSwitchesOver: settings.POSTGRES_DRILL_COMMAND_SWITCHES,
      direct: nodeLogin({ ...direct, password: direct.password() }),
    });
  return {
    async run({ scenario, ...order }) {
      const known = FAILOVER_SCENARIOS.find((name) => name === scenario);
      if (known === undefined) throw new Error(`there is no scenario ${scenario}`);
      const database = canaryDatabase(role);
      const drill = postgresFailover({
        ...{ scenario: known, runId: order.runId, acts: actsOf(order.runId), database },
        synchronous: await commitsWaitForStandby(db),
      });
      return runDrill(drill, drillSurroundings(settings, db), order);
    },
    async recover(runId) {
      const acts = actsOf(runId);
      await acts.recover();
      await acts.close();
    },
  };
}

const canaryDatabase = ({ settings, secrets, log }: Role): Database =>
  openDatabase(
    {
      ...databaseAccess(settings, secrets),
      poolSize: 2,
      connectTimeoutMs: CANARY_TIMEOUT_MS,
      queryTimeoutMs: CANARY_TIMEOUT_MS,
      applicationName: 'derms-drill-canary',
    },
    log,
  );

/** What every drill of this deployment stands in. */
export const drillSurroundings = (
  settings: Pick<
    Settings,
    'DEPLOYMENT' | 'DRILLS_IN_PRODUCTION' | 'DRILL_METRICS_URL' | 'DERMS_API_URL' | 'PROMETHEUS_PATH'
  >,
  db: Database,
): DrillSurroundings => ({
  metricsUrl: settings.DRILL_METRICS_URL ?? new URL(settings.PROMETHEUS_PATH, settings.DERMS_API_URL).href,
  guardFacts: async () => ({
    deployment: settings.DEPLOYMENT,
    allowedInProduction: settings.DRILLS_IN_PRODUCTION,
    liveDispatches: await liveDispatches(db, DRILL_SECONDS),
  }),
  record: (report) => recordStubbornly(db, report),
});

async function recordStubbornly(db: Database, report: DrillReport): Promise<void> {
  const deadline = performance.now() + RECORD_WITHIN_MS;
  for (;;) {
    try {
      await recordDrill(db, report);
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
    await sleep(500);
  }
}

/** Whether a commit of the application's waits for a standby. */
async function commitsWaitForStandby(db: Database): Promise<boolean> {
  const { rows } = await db.query<{ waits: boolean }>(
    `select current_setting('synchronous_standby_names') <> ''
            and current_setting('synchronous_commit') not in ('off', 'local') as waits`,
  );
  return rows[0]?.waits === true;
}
