import { Client, Connection } from '@temporalio/client';
import { sampleProcess } from '../chaos/processes';
import type { Database } from '../db/pool';
import { readMetricsPage } from '../drills/metrics-page';
import { METRICS_OFFSETS, WORKER_ROLES } from '../local/ports';
import type { TestSystem } from '../local/test-system';
import { LOOPBACK } from '../servers/free-port';
import { controlLoopId } from '../workflows/messages';

/** Everything that is looked at, by name. */
export type Sample = ReadonlyMap<string, number>;

/** Names of what is sampled begin with what it is. */
export const MEASURES = {
  heap: 'heap, MB',
  resident: 'resident memory, MB',
  handles: 'file handles',
  eventLoop: 'event loop, p99, ms',
  history: 'history, events',
  table: 'table, MB',
  sessions: 'sessions at Postgres',
} as const;
type Measure = keyof typeof MEASURES;

export const nameOf = (measure: Measure, of: string): string => `${MEASURES[measure]}: ${of}`;

const MB = 1024 ** 2;
/** Tables whose rows come and go with the fleet, and those that take in what happens. */
export const STATE_TABLES = [
  'device_state',
  'meter_state',
  'device_control',
  'control_loops',
  'feeder_uncontrolled',
] as const;
export const GROWING_TABLES = [
  'telemetry',
  'meter_readings',
  'control_cycles',
  'control_cycle_inputs',
  'setpoints',
] as const;

export interface Sampler {
  take(): Promise<Sample>;
  close(): Promise<void>;
}

/** Looks at every process, every table and every loop of a running system. */
export async function openSampler(system: TestSystem, db: Database): Promise<Sampler> {
  const connection = await Connection.connect({ address: system.stack.temporal.address });
  const client = new Client({ connection, namespace: system.stack.temporal.namespace });
  return {
    async take() {
      const parts = await Promise.all([ofPrograms(system), ofServers(system), ofTables(db), ofHistories(client, db)]);
      return new Map(parts.flat());
    },
    close: () => connection.close(),
  };
}

type Figures = (readonly [string, number])[];

/** What each of our processes tells of itself. */
async function ofPrograms({ apiUrl, ports }: TestSystem): Promise<Figures> {
  const at = (offset: number): string => `http://${LOOPBACK}:${String(ports.metrics + offset)}/metrics`;
  const pages = [
    ['api', `${apiUrl}/metrics`],
    ['worker', at(METRICS_OFFSETS.worker)],
    ...WORKER_ROLES.map((role, index) => [`worker/${role}`, at(METRICS_OFFSETS.worker + 1 + index)] as const),
    ['simulator', at(METRICS_OFFSETS.simulator)],
  ] as const;
  const figures = await Promise.all(
    pages.map(async ([name, url]): Promise<Figures> => {
      const page = await readMetricsPage(url, 10_000);
      const figure = (measure: Measure, metric: string, scale: number): Figures => {
        const value = page.sum(metric);
        return value === undefined ? [] : [[nameOf(measure, name), value * scale]];
      };
      return [
        ...figure('heap', 'nodejs_heap_size_used_bytes', 1 / MB),
        ...figure('resident', 'process_resident_memory_bytes', 1 / MB),
        ...figure('handles', 'process_open_fds', 1),
        ...figure('eventLoop', 'nodejs_eventloop_lag_p99_seconds', 1_000),
      ];
    }),
  );
  return figures.flat();
}

const ofServers = ({ stack }: TestSystem): Promise<Figures> =>
  Promise.resolve(
    (['temporal', 'mosquitto', 'postgres'] as const).flatMap((name): Figures => {
      const sample = sampleProcess(name, stack[name].pid);
      if (sample === undefined) return [];
      return [
        [nameOf('resident', name), sample.residentMb],
        [nameOf('handles', name), sample.fileHandles],
      ];
    }),
  );

/** With their indexes, and with all partitions of those that have some. */
async function ofTables(db: Database): Promise<Figures> {
  const { rows } = await db.query<{ name: string; mb: number }>(
    `select name, (pg_total_relation_size(name::regclass) + coalesce((select sum(pg_total_relation_size(relid))
              from pg_partition_tree(name::regclass) where level > 0), 0))::float8 / 1048576 as mb
       from unnest($1::text[]) as name`,
    [[...STATE_TABLES, ...GROWING_TABLES]],
  );
  const { rows: sessions } = await db.query<{ sessions: number }>(
    `select count(*)::int as sessions from pg_stat_activity where backend_type = 'client backend'`,
  );
  return [
    ...rows.map(({ name, mb }) => [nameOf('table', name), mb] as const),
    [nameOf('sessions', 'all'), sessions[0]?.sessions ?? 0] as const,
  ];
}

/** Of the run that goes on: a loop that continued as new begins with an empty one. */
async function ofHistories(client: Client, db: Database): Promise<Figures> {
  const { rows } = await db.query<{ root: string }>('select feeder_id as root from feeders where parent_id is null');
  return Promise.all(
    rows.map(async ({ root }) => {
      const { historyLength } = await client.workflow.getHandle(controlLoopId(root)).describe();
      return [nameOf('history', root), historyLength] as const;
    }),
  );
}
