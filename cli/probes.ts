import {
  BROKER_SETTINGS,
  brokerAccess,
  DATABASE_SETTINGS,
  databaseAccess,
  TEMPORAL_SETTINGS,
  temporalAccess,
} from '../config/connections';
import { loadSomeSettings } from '../config/load';
import { Secrets } from '../config/secrets';
import { clientOptions } from '../temporal/access';
import { brokersOf } from '../broker/pair';
import { mqttIdentity } from '../tls/mqtt-identity';
import { postgresTls } from '../tls/postgres-tls';

/** How a dependency was found when looked at from here. */
export interface Probe {
  readonly name: string;
  readonly up: boolean;
  readonly detail: string;
}

/** With the API down: what the rows say of loops and dispatches. */
export interface DirectLook {
  readonly probes: readonly Probe[];
  readonly loops: readonly DirectLoop[] | null;
  readonly dispatches: readonly DirectDispatch[] | null;
}

export interface DirectLoop {
  readonly feederId: string;
  readonly enabled: boolean;
  readonly intervalSeconds: number;
  readonly lastCycleAgeSeconds: number | null;
}

export interface DirectDispatch {
  readonly dispatchId: string;
  readonly feederId: string;
  readonly state: string;
  readonly endsAt: string;
}

const WITHIN_MS = 1_500;

/** Looks at Postgres, broker and Temporal directly, with the settings of our processes; side by side, each bounded. */
export async function lookDirectly(environment: NodeJS.ProcessEnv): Promise<DirectLook> {
  const [database, broker, temporal] = await Promise.all([
    lookAtDatabase(environment),
    probe('MQTT broker', () => askBroker(environment)),
    probe('Temporal', () => askTemporal(environment)),
  ]);
  const { rows, ...postgres } = database;
  return { probes: [postgres, broker, temporal], loops: rows?.loops ?? null, dispatches: rows?.dispatches ?? null };
}

interface Rows {
  readonly loops: readonly DirectLoop[];
  readonly dispatches: readonly DirectDispatch[];
}

async function lookAtDatabase(environment: NodeJS.ProcessEnv): Promise<Probe & { rows: Rows | null }> {
  let rows: Rows | null = null;
  const result = await probe('PostgreSQL', async () => {
    const answer = await askDatabase(environment);
    rows = answer.rows;
    return answer.where;
  });
  return { ...result, rows };
}

async function probe(name: string, ask: () => Promise<string>): Promise<Probe> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no answer within ${String(WITHIN_MS)} ms`));
    }, WITHIN_MS);
  });
  try {
    return { name, up: true, detail: await Promise.race([ask(), late]) };
  } catch (error) {
    return { name, up: false, detail: reasonOf(error) };
  } finally {
    clearTimeout(timer);
  }
}

// The three clients are loaded only here: with the API up nobody waits for them.

async function askDatabase(environment: NodeJS.ProcessEnv): Promise<{ where: string; rows: Rows }> {
  const settings = loadSomeSettings(DATABASE_SETTINGS, environment);
  const { Client } = await import('pg');
  const { host, port, database, user, password, tls } = databaseAccess(settings, new Secrets(environment));
  const client = new Client({
    ...{ host, port, database, user, password, ssl: postgresTls(tls) },
    connectionTimeoutMillis: WITHIN_MS,
    query_timeout: WITHIN_MS,
  });
  client.on('error', () => undefined); // told by the query that fails with it
  try {
    await client.connect();
    const loops = await client.query<DirectLoop>(LOOPS);
    const dispatches = await client.query<DirectDispatch>(DISPATCHES);
    return { where: `${host}:${String(port)}/${database}`, rows: { loops: loops.rows, dispatches: dispatches.rows } };
  } finally {
    void client.end().catch(() => undefined); // a server that hangs would not say goodbye
  }
}

const LOOPS = `
  select f.feeder_id as "feederId", f.enabled, f.interval_seconds as "intervalSeconds",
         extract(epoch from now() - l.finished_at)::float8 as "lastCycleAgeSeconds"
    from feeders f left join control_loops l on l.root_feeder_id = f.feeder_id
   where f.parent_id is null order by f.feeder_id`;
const DISPATCHES = `
  select dispatch_id as "dispatchId", feeder_id as "feederId", state,
         to_char(ends_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as "endsAt"
    from dispatches where state in ('scheduled', 'active') order by begins_at limit 50`;

/** One of a pair is enough; the one that is missing is named. */
async function askBroker(environment: NodeJS.ProcessEnv): Promise<string> {
  const settings = loadSomeSettings(BROKER_SETTINGS, environment);
  const { connectAsync } = await import('mqtt');
  const access = { ...brokerAccess(settings, new Secrets(environment)), clientId: '' };
  const outcomes = await Promise.all(
    brokersOf(access).map(async (broker) => {
      const name = `${broker.host}:${String(broker.port)}`;
      try {
        const client = await connectAsync({
          ...mqttIdentity(broker),
          protocolVersion: 5,
          reconnectPeriod: 0,
          connectTimeout: WITHIN_MS,
        });
        client.end(true);
        return { name, failure: null };
      } catch (error) {
        return { name, failure: error };
      }
    }),
  );
  const answering = outcomes.filter(({ failure }) => failure === null).map(({ name }) => name);
  const [first] = outcomes.filter(({ failure }) => failure !== null);
  if (answering.length === 0) throw first?.failure;
  const missing = first === undefined ? '' : ` (${first.name} does not answer: ${reasonOf(first.failure)})`;
  return `${answering.join(' and ')}${missing}`;
}

async function askTemporal(environment: NodeJS.ProcessEnv): Promise<string> {
  const access = temporalAccess(loadSomeSettings(TEMPORAL_SETTINGS, environment), new Secrets(environment));
  const { Connection } = await import('@temporalio/client');
  const connection = Connection.lazy(clientOptions(access));
  try {
    await connection.withAbortSignal(AbortSignal.timeout(WITHIN_MS), () =>
      connection.withDeadline(Date.now() + WITHIN_MS, () =>
        connection.healthService.check({ service: 'temporal.api.workflowservice.v1.WorkflowService' }),
      ),
    );
    return access.address;
  } finally {
    void connection.close();
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return reasonOf((error.errors as unknown[])[0]);
  const message = error instanceof Error ? error.message : String(error);
  return message.replaceAll(/\s*\n\s*/g, ' ').slice(0, 120);
}
