import type { StoreOutcome } from '../domain/samples';
import { refuse, type Refusal } from '../contracts/envelope';
import type { Batch, ReceivedMeasurement, ReceivedSample } from './batch';
import type { DeviceCache } from './device-cache';
import type { FeederCache } from './feeder-cache';
import { inParts } from './in-parts';
import { MESSAGE_KINDS, type IngestMetrics } from './ingest-metrics';
import type { PartitionKeeper } from './partition-keeper';
import type { RefusedTelemetry, TelemetryStore } from './ports';
import type { Refusals } from './refusals';
import { deviceColumns, meterColumns, type IdentifiedSample } from './sample-columns';

export interface BatchCommitPorts {
  readonly store: TelemetryStore;
  readonly refused: RefusedTelemetry;
  readonly devices: DeviceCache;
  readonly feeders: FeederCache;
  readonly partitions: PartitionKeeper;
  readonly refusals: Refusals;
  readonly metrics: IngestMetrics;
  /** Tries again for as long as Postgres is away. */
  readonly retry: <T>(work: () => Promise<T>) => Promise<T>;
}

interface Message {
  readonly topic: string;
  readonly payload: Buffer;
}

/** The bound of `refused_telemetry` is restored after so many samples. */
const TRIM_AFTER = 500;

/** Brings a batch to where it may be acknowledged: each message is on disk, or refused and counted. */
export class BatchCommit {
  private keptSinceTrim = TRIM_AFTER; // the first one after a start

  constructor(private readonly ports: BatchCommitPorts) {}

  /** Waits for as long as Postgres is away; rejects only when it is told to give up. */
  async commit(batch: Batch): Promise<void> {
    const { metrics } = this.ports;
    const end = metrics.batchSeconds.startTimer();
    await this.commitSamples(batch, batch.samples);
    await this.commitMeasurements(batch, batch.measurements);
    await this.keepRefused();
    for (const kind of MESSAGE_KINDS)
      if (batch.received[kind] > 0) metrics.messages.inc({ kind }, batch.received[kind]);
    metrics.reusedMessageIds.inc(batch.reusedMessageIds);
    metrics.socScaled.inc(countOf(batch.samples, ({ telemetry }) => telemetry.socScaled));
    end();
  }

  private async commitSamples(batch: Batch, samples: readonly ReceivedSample[], again = false): Promise<void> {
    if (samples.length === 0) return;
    const unplaced = await this.ports.devices.identify(samples);
    const identified = samples.filter((sample): sample is IdentifiedSample => {
      const refusal =
        sample.device === null ? unplaced.get(sample.telemetry.deviceId) : typeFault(sample, sample.device);
      if (refusal !== undefined && refusal !== null) this.refuse(sample, refusal);
      return sample.device !== null && refusal === null;
    });
    await this.store(
      identified,
      (part) => this.ports.store.storeDeviceSamples(deviceColumns(part), batch.heldMs),
      async (part) => {
        if (again) return false;
        this.ports.devices.forget(part);
        await this.commitSamples(batch, part, true);
        return true;
      },
      ({ device }) => device.registered.feederId,
    );
  }

  private async commitMeasurements(
    batch: Batch,
    measurements: readonly ReceivedMeasurement[],
    again = false,
  ): Promise<void> {
    if (measurements.length === 0) return;
    const { feeders } = this.ports;
    await feeders.identify(measurements.map(feederIdOf));
    const identified = measurements.filter((received) => {
      const known = feeders.has(feederIdOf(received));
      if (!known) this.refuse(received, refuse('unknown-feeder', `there is no feeder ${feederIdOf(received)}`));
      return known;
    });
    await this.store(
      identified,
      (part) => this.ports.store.storeMeterSamples(meterColumns(part), batch.heldMs),
      async (part) => {
        if (again) return false;
        feeders.forget(part.map(feederIdOf));
        await this.commitMeasurements(batch, part, true);
        return true;
      },
      feederIdOf,
    );
  }

  /** Stores rows; those that Postgres refuses cost the others nothing. `identifyAgain` is for a registry that changed. */
  private async store<Row extends Message>(
    rows: readonly Row[],
    attempt: (part: readonly Row[]) => Promise<StoreOutcome>,
    identifyAgain: (part: readonly Row[]) => Promise<boolean>,
    feederOf: (row: Row) => string,
  ): Promise<void> {
    const { metrics, retry } = this.ports;
    await inParts(
      rows,
      async (part) => {
        const outcome = await retry(() => this.withPartition(() => attempt(part)));
        if ('refused' in outcome) {
          return outcome.refused === 'registry-changed' && (await identifyAgain(part)) ? null : outcome.detail;
        }
        for (const [feeder, count] of countBy(part, feederOf)) metrics.byFeeder.inc({ feeder }, count);
        metrics.stored.inc(outcome.stored);
        metrics.duplicates.inc(part.length - outcome.stored);
        return null;
      },
      (row, detail) => {
        this.refuse(row, refuse('database-refused', detail));
      },
    );
  }

  /** A missing partition is ours to make, and to wait for; only a day that we do not keep is the message's fault. */
  private async withPartition(attempt: () => Promise<StoreOutcome>): Promise<StoreOutcome> {
    const outcome = await attempt();
    if (!('refused' in outcome) || outcome.refused !== 'no-partition') return outcome;
    if (!(await this.ports.partitions.keep())) throw new Error(outcome.detail);
    return attempt();
  }

  private refuse({ topic, payload }: Message, refusal: Refusal): void {
    this.ports.refusals.note(refusal, topic, payload);
  }

  private async keepRefused(): Promise<void> {
    const { refusals, refused, metrics, retry } = this.ports;
    for (const [reason, count] of refusals.takeCounts()) metrics.refused.inc({ reason }, count);
    const senders = refusals.takeSenders();
    if (senders.length > 0) await retry(() => refused.addUp(senders));
    const samples = refusals.takeSamples();
    if (samples.length === 0) return;
    await retry(() => refused.keep(samples));
    this.keptSinceTrim += samples.length;
    if (this.keptSinceTrim < TRIM_AFTER) return;
    await retry(() => refused.trim());
    this.keptSinceTrim = 0;
  }
}

const typeFault = (
  { telemetry }: ReceivedSample,
  { registered }: { registered: { deviceType: string } },
): Refusal | null =>
  telemetry.deviceType === registered.deviceType
    ? null
    : refuse(
        'wrong-device-type',
        `the registry has it as ${registered.deviceType}, the message as ${telemetry.deviceType}`,
      );

const feederIdOf = ({ measurement }: ReceivedMeasurement): string => measurement.feederId;

const countOf = <T>(items: readonly T[], holds: (item: T) => boolean): number =>
  items.reduce((sum, item) => sum + (holds(item) ? 1 : 0), 0);

function countBy<T>(items: readonly T[], keyOf: (item: T) => string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + 1);
  return counts;
}
