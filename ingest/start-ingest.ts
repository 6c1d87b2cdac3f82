import { once } from 'node:events';
import type { WireAdditions } from '../domain/samples';
import { topics } from '../contracts/topics';
import type { Logger } from '../observability/logger';
import type { Registry } from '../observability/metrics';
import type { Batch } from './batch';
import { BatchCommit } from './batch-commit';
import type { AllowanceLimits } from './device-allowance';
import { DeviceCache } from './device-cache';
import { FeederCache } from './feeder-cache';
import { ingestMetrics } from './ingest-metrics';
import { Intake } from './intake';
import { PartitionKeeper } from './partition-keeper';
import type { RefusedTelemetry, Subscribe, Subscription, TelemetryStore, WireRegistry } from './ports';
import { Refusals } from './refusals';
import { untilItWorks } from './retry';

export interface IngestOptions {
  /** Several processes take part and share the messages; see docs/decisions/0009. One alone takes them all. */
  readonly shared: boolean;
  readonly topicPrefix: string;
  readonly maxPayloadBytes: number;
  readonly retentionDays: number;
  readonly batchRows: number;
  readonly batchWaitMs: number;
  readonly deviceAllowance: AllowanceLimits;
  readonly defaultFeederId: string;
  readonly defaultFeederLimitKw: number;
  readonly controlIntervalSeconds: number;
  readonly maxAutoFeeders: number;
  readonly maxAutoDevices: number;
}

export interface IngestDeps {
  readonly options: IngestOptions;
  readonly log: Logger;
  readonly metrics: Registry;
  readonly subscribe: Subscribe;
  readonly store: TelemetryStore;
  readonly registry: WireRegistry;
  readonly refused: RefusedTelemetry;
  /** Makes what is missing of the partitions of telemetry and meter readings; safe beside other processes. */
  readonly ensurePartitions: () => Promise<readonly string[]>;
  /** A root was added to the registry and has no control loop yet. */
  readonly onFeederAdded: (feederId: string) => Promise<void>;
}

export interface Ingest {
  /** null, or what it waits for before it takes part. An outage later on does not make it unready. */
  notReady(): string | null;
  /** Takes no more, commits and acknowledges what is in hand for 4 s at most, disconnects; the broker keeps the rest. */
  stop(): Promise<void>;
}

/** All ingest processes together get each message once (design section 6). */
const SHARE = '$share/derms-ingest';
/** Two batches on their way to Postgres, so that it need not wait for us between them, while a third comes in. */
const BATCHES_IN_WORK = 2;
const BATCHES_IN_FLIGHT = BATCHES_IN_WORK + 1;
const MOST_IN_FLIGHT = 65_535;
const STOP_WITHIN_MS = 4_000;
const DAY_MS = 86_400_000;

/**
 * Telemetry and meter readings from the broker into Postgres. A message is acknowledged when it is on disk, or refused
 * and counted. While Postgres is away everything waits: at most `receiveMaximum` messages here, the rest in the broker.
 */
export async function startIngest(deps: IngestDeps): Promise<Ingest> {
  const { options, log, subscribe, store, refused, registry } = deps;
  const receiveMaximum = Math.min(MOST_IN_FLIGHT, BATCHES_IN_FLIGHT * options.batchRows);
  const abort = new AbortController();
  let subscription: Subscription | null = null;
  const metrics = ingestMetrics(deps.metrics, () => subscription?.unacknowledged ?? 0);
  const refusals = new Refusals(options.topicPrefix);
  const intake = new Intake(
    {
      ...options,
      maxAgeMs: options.retentionDays * DAY_MS,
      mostWaiting: receiveMaximum,
      onDropped: () => metrics.dropped.inc(),
    },
    refusals,
  );
  const retry = <T>(work: () => Promise<T>): Promise<T> =>
    untilItWorks(work, { signal: abort.signal, log, onFailure: () => metrics.retries.inc() });
  const devices = new DeviceCache(
    registry,
    {
      defaultFeederId: options.defaultFeederId,
      limits: {
        maxFeeders: options.maxAutoFeeders,
        maxDevices: options.maxAutoDevices,
        feederLimitKw: options.defaultFeederLimitKw,
        intervalSeconds: options.controlIntervalSeconds,
      },
    },
    {
      retry,
      onAdded: (additions) => {
        metrics.newDevices.inc(additions.newDevices);
        metrics.newFeeders.inc(additions.newFeeders.length);
        announce(deps, additions);
      },
      onMoveNotFollowed: (deviceId, feederId) => {
        metrics.movesNotFollowed.inc();
        log.warn({ deviceId, feederId }, 'a device names another feeder, which finds no place');
      },
    },
  );
  const partitions = new PartitionKeeper(deps.ensurePartitions, log);
  await partitions.keep();
  const feeders = new FeederCache(registry, retry);
  const committer = new BatchCommit({ store, refused, devices, feeders, partitions, refusals, metrics, retry });
  const { telemetryFilter, metersFilter } = topics(options.topicPrefix);
  const alone = [telemetryFilter, metersFilter];
  const together = alone.map((filter) => `${SHARE}/${filter}`);
  const [filters, formerFilters] = options.shared ? [together, alone] : [alone, together];
  const broker = subscribe({ filters, formerFilters, receiveMaximum }, (topic, payload, sequence, qos) => {
    intake.receive(topic, payload, sequence, qos);
  });
  subscription = broker;

  const working = commitAll(intake, committer, broker, abort.signal);
  let state: 'starting' | 'running' | 'stopping' = 'starting';
  return {
    notReady() {
      if (state === 'starting' && broker.subscribed) state = 'running';
      if (state === 'starting') return 'not subscribed at the broker yet';
      return state === 'stopping' ? 'stopping' : null;
    },
    async stop() {
      state = 'stopping';
      partitions.stop();
      intake.close();
      const late = setTimeout(() => {
        log.warn('what is in hand could not be committed in time: the broker sends it again');
        abort.abort();
      }, STOP_WITHIN_MS);
      await Promise.race([working, once(abort.signal, 'abort')]);
      clearTimeout(late);
      await broker.close();
    },
  };
}

/**
 * Commits batches as they come, two at a time, and acknowledges them in the order of their arrival: acknowledging one
 * acknowledges all before it, so none is once one before it was given up. A bug here ends the process.
 */
async function commitAll(
  intake: Intake,
  committer: BatchCommit,
  broker: Subscription,
  giveUp: AbortSignal,
): Promise<void> {
  const acknowledge = async (batch: Batch, before: Promise<boolean>, committing: Promise<void>): Promise<boolean> => {
    const committed = committing.then(
      () => true,
      (error: unknown) => {
        if (giveUp.aborted) return false;
        throw error;
      },
    );
    const all = (await Promise.all([before, committed])).every(Boolean);
    if (all) broker.acknowledgeThrough(batch.lastSequence);
    return all;
  };
  const inWork = Array.from({ length: BATCHES_IN_WORK }, () => Promise.resolve(true));
  for (let batch = await intake.next(); batch !== null; batch = await intake.next()) {
    if (!(await inWork.shift())) return;
    const last = inWork.at(-1) ?? Promise.resolve(true);
    inWork.push(acknowledge(batch, last, committer.commit(batch)));
  }
  await Promise.all(inWork);
}

/** The control loop of a new root is started soon, by the supervisor each minute at the latest. */
function announce({ log, onFeederAdded }: IngestDeps, { newFeeders, newDevices }: WireAdditions): void {
  if (newDevices > 0 || newFeeders.length > 0)
    log.info({ devices: newDevices, feeders: newFeeders }, 'added to the registry from the wire');
  for (const feederId of newFeeders) {
    onFeederAdded(feederId).catch((err: unknown) => {
      log.warn({ err, feederId }, 'a new feeder could not be announced; the supervisor will find it');
    });
  }
}
