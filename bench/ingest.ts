import { BenchChild, cpuSecondsOf } from './child';
import type { ReaderReport } from './processes/bare-reader';
import { DEVICES, deviceId, FEEDERS, feederId } from './processes/fleet-message';
import type { IngestReport } from './processes/ingest';
import type { PublisherReport } from './processes/telemetry-publisher';
import { startBenchServers, type BenchServers } from './servers';
import type { BenchmarkRow } from './table';

const ROUNDS = 3;
const BACKLOG = 400_000;
const LEAST_RATIO = 0.5;
const LEAST_PER_SECOND = 20_000;
/** Above what has to be held, so that the minute shows there is room. */
const LIVE_PER_SECOND = 10_000;
const LEAST_LIVE_PER_SECOND = 8_000;
const LIVE_SECONDS = 60;
/** The heap and the pools have grown to what they need by then, s. */
const SETTLED_AFTER = 15;
const MOST_GROWTH = 1.1;
/** As the ingest has it with its default batches. */
const RECEIVE_MAXIMUM = 6_000;

type Say = (line: string) => void;

/**
 * Telemetry from the broker into committed rows: a backlog against a reader that only parses and counts, then a minute
 * live. Publisher, broker, database and ingest are processes of their own on the same cores; Postgres is durable.
 */
export async function benchmarkIngest(say: Say): Promise<BenchmarkRow[]> {
  const servers = await startBenchServers();
  try {
    await registerFleet(servers);
    const rounds: Drained[] = [];
    for (let round = 1; round <= ROUNDS; round += 1) {
      const drained = await drainBacklog(servers, round);
      say(
        `round ${String(round)}: ${perSecond(drained.ours)} committed, ${perSecond(drained.bare)} bare; ` +
          drained.processorTime,
      );
      rounds.push(drained);
    }
    const live = await runLive(servers, say);
    return [...drainRows(rounds), ...live, await lossRow(servers, ROUNDS * BACKLOG + LIVE_PER_SECOND * LIVE_SECONDS)];
  } finally {
    await servers.stop();
  }
}

interface Drained {
  readonly ours: number;
  readonly bare: number;
  /** Processor time per message by process, for eyes. */
  readonly processorTime: string;
}

async function drainBacklog(servers: BenchServers, round: number): Promise<Drained> {
  const reader = readerOrder(servers, `bench-bare-${String(round)}`);
  await runReader({ ...reader, messages: 0 }, 'subscribed');
  const order = ingestOrder(servers, BACKLOG, `bench-ingest-${String(round)}`);
  const session = new BenchChild<IngestReport>('ingest', { ...order, messages: Infinity });
  await session.report('ready');
  await session.stop();
  await publish(servers, BACKLOG, null);
  const { seconds: bareSeconds } = await runReader(reader, 'read');
  await endSession(servers, reader.clientId);

  const before = [cpuSecondsOf(servers.mosquitto.pid), await databaseCpuSeconds(servers)] as const;
  const ingest = new BenchChild<IngestReport>('ingest', order);
  const { seconds } = await ingest.report('committed');
  const after = [cpuSecondsOf(servers.mosquitto.pid), await databaseCpuSeconds(servers)] as const;
  const cpu = { ingest: ingest.cpuSeconds, broker: after[0] - before[0], database: after[1] - before[1] };
  await ingest.stop();
  await endSession(servers, order.clientId);
  const processorTime = Object.entries(cpu)
    .map(([name, used]) => `${name} ${((used * 1e6) / BACKLOG).toFixed(1)} µs CPU a message`)
    .join(', ');
  return { ours: BACKLOG / seconds, bare: BACKLOG / bareSeconds, processorTime };
}

function drainRows(rounds: readonly Drained[]): BenchmarkRow[] {
  const [middle] = [...rounds].sort((a, b) => a.ours / a.bare - b.ours / b.bare).slice(Math.floor(rounds.length / 2));
  if (middle === undefined) throw new Error('no round was run');
  return [
    {
      benchmark: 'ingest',
      measure: `backlog of ${String(BACKLOG)}: messages/s committed (reference: parsed and counted)`,
      ours: middle.ours,
      reference: middle.bare,
      target: `>= ${String(LEAST_RATIO)} of it and >= ${String(LEAST_PER_SECOND)}/s`,
      met: middle.ours / middle.bare >= LEAST_RATIO && middle.ours >= LEAST_PER_SECOND,
    },
  ];
}

async function runLive(servers: BenchServers, say: Say): Promise<BenchmarkRow[]> {
  const messages = LIVE_PER_SECOND * LIVE_SECONDS;
  const ingest = new BenchChild<IngestReport>('ingest', ingestOrder(servers, messages, 'bench-ingest-live'));
  await ingest.report('ready');
  const startedAt = performance.now();
  const publishing = publish(servers, messages, LIVE_PER_SECOND);
  const memory = await memoryUntil(ingest, startedAt + LIVE_SECONDS * 1000);
  const { seconds: publishSeconds } = await publishing;
  const { seconds } = await ingest.report('committed');
  await ingest.stop();
  await endSession(servers, 'bench-ingest-live');
  const settled = average(memory.slice(SETTLED_AFTER, SETTLED_AFTER + 10));
  const atEnd = average(memory.slice(-10));
  say(
    `live: published in ${publishSeconds.toFixed(1)} s, committed in ${seconds.toFixed(1)} s; ` +
      `memory ${megabytes(settled)} after ${String(SETTLED_AFTER)} s, ${megabytes(atEnd)} at the end`,
  );
  return [
    {
      benchmark: 'ingest',
      measure: `live for ${String(LIVE_SECONDS)} s: messages/s committed (reference: published)`,
      ours: messages / seconds,
      reference: messages / publishSeconds,
      target: `>= ${String(LEAST_LIVE_PER_SECOND)}/s`,
      met: messages / seconds >= LEAST_LIVE_PER_SECOND,
    },
    {
      benchmark: 'ingest',
      measure: `resident memory at the end, MB (reference: after ${String(SETTLED_AFTER)} s)`,
      ours: atEnd / 1e6,
      reference: settled / 1e6,
      target: `<= ${String(MOST_GROWTH)} of it`,
      met: atEnd <= settled * MOST_GROWTH,
    },
  ];
}

/** Acknowledged to the publisher and not in the table, or there more often than once. */
async function lossRow(servers: BenchServers, published: number): Promise<BenchmarkRow> {
  const { rows } = await servers.db.query<{ rows: number; ids: number }>(
    'select count(*)::integer as rows, count(distinct message_id)::integer as ids from telemetry',
  );
  const { rows: stored = 0, ids = 0 } = rows[0] ?? {};
  const wrong = Math.abs(published - ids) + (stored - ids);
  return {
    benchmark: 'ingest',
    measure: `messages lost or doubled of ${String(published)}`,
    ours: wrong,
    reference: null,
    target: '0',
    met: wrong === 0,
  };
}

async function registerFleet({ db }: BenchServers): Promise<void> {
  const devices = Array.from({ length: DEVICES }, (_, device) => device);
  await db.query(
    `insert into feeders (feeder_id, root_id, import_limit_kw, export_limit_kw, origin)
     select id, id, 1000, 1000, 'registry' from unnest($1::text[]) as id`,
    [devices.slice(0, FEEDERS).map(feederId)],
  );
  await db.query(
    `insert into devices (device_id, device_type, feeder_id, max_import_kw, feeder_origin, rating_origin)
     select device_id, 'ev', feeder_id, 11, 'wire', 'wire' from unnest($1::text[], $2::text[]) as g (device_id, feeder_id)`,
    [devices.map(deviceId), devices.map(feederId)],
  );
}

async function publish(
  { mosquitto }: BenchServers,
  messages: number,
  rate: number | null,
): Promise<{ readonly seconds: number }> {
  const order = { url: urlOf(mosquitto), messages, perSecond: rate };
  return new BenchChild<PublisherReport>('telemetry-publisher', order).report('published');
}

const runReader = <Event extends ReaderReport['event']>(order: object, event: Event) =>
  new BenchChild<ReaderReport>('bare-reader', order).report(event);

const readerOrder = ({ mosquitto }: BenchServers, clientId: string) => ({
  url: urlOf(mosquitto),
  clientId,
  filter: `$share/${clientId}/der/telemetry/#`,
  receiveMaximum: RECEIVE_MAXIMUM,
  messages: BACKLOG,
});

const ingestOrder = ({ database, mosquitto }: BenchServers, messages: number, clientId: string) => ({
  database,
  mqttHost: mosquitto.host,
  mqttPort: mosquitto.port,
  topicPrefix: 'der',
  logLevel: 'warn',
  clientId,
  messages,
});

/** The next client of the group would get only its share while the broker keeps this one's queue. */
async function endSession({ mosquitto }: BenchServers, clientId: string): Promise<void> {
  const { connectAsync } = await import('mqtt');
  const client = await connectAsync(urlOf(mosquitto), { protocolVersion: 5, clean: true, clientId });
  await client.endAsync();
}

async function memoryUntil(ingest: BenchChild<IngestReport>, untilMs: number): Promise<number[]> {
  const memory: number[] = [];
  while (performance.now() < untilMs) memory.push((await ingest.report('memory')).rssBytes);
  return memory;
}

/** Of all sessions that wrote to the table: the server counts per process, so the backends are asked for theirs. */
async function databaseCpuSeconds({ db }: BenchServers): Promise<number> {
  const { rows } = await db.query<{ pid: number }>('select pid from pg_stat_activity where pid <> pg_backend_pid()');
  return rows.reduce((sum, { pid }) => sum + cpuSecondsOf(pid), 0);
}

const urlOf = ({ host, port }: { host: string; port: number }): string => `mqtt://${host}:${String(port)}`;
const perSecond = (rate: number): string => `${Math.round(rate).toLocaleString('en')}/s`;
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;
const average = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
