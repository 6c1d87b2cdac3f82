import { REFUSAL_REASONS } from '../contracts/envelope';
import { Counter, DURATION_BUCKETS, Gauge, Histogram, type Registry } from '../observability/metrics';

export const MESSAGE_KINDS = ['telemetry', 'measurement', 'other'] as const;

export type IngestMetrics = ReturnType<typeof ingestMetrics>;

/** The figures of the ingest; counters begin at 0, so that the first increase is seen. */
export function ingestMetrics(registry: Registry, inFlight: () => number) {
  const registers = [registry];
  const counter = (name: string, help: string): Counter => new Counter({ name, help, registers });
  const messages = new Counter({
    name: 'derms_ingest_messages_total',
    help: 'Messages taken from the broker, by kind.',
    labelNames: ['kind'],
    registers,
  });
  for (const kind of MESSAGE_KINDS) messages.inc({ kind }, 0);
  const refused = new Counter({
    name: 'derms_ingest_refused_total',
    help: 'Messages that were not taken, by reason; samples are in refused_telemetry.',
    labelNames: ['reason'],
    registers,
  });
  for (const reason of REFUSAL_REASONS) refused.inc({ reason }, 0);
  new Gauge({
    name: 'derms_ingest_in_flight',
    help: 'Messages received and not acknowledged yet.',
    registers,
    collect() {
      this.set(inFlight());
    },
  });
  return {
    messages,
    refused,
    /** A feeder that is not heard of has none. */
    byFeeder: new Counter({
      name: 'derms_ingest_feeder_messages_total',
      help: 'Telemetry and meter readings that were accepted, by the feeder that they belong to.',
      labelNames: ['feeder'],
      registers,
    }),
    stored: counter('derms_ingest_stored_total', 'Samples committed.'),
    duplicates: counter(
      'derms_ingest_duplicates_total',
      'Samples that were there already, those included whose first commit lost its answer.',
    ),
    socScaled: counter('derms_ingest_soc_scaled_total', 'Samples whose soc came as a percentage.'),
    reusedMessageIds: counter(
      'derms_ingest_reused_message_ids_total',
      'Samples with a message id that was used before for another time; they are stored.',
    ),
    newDevices: counter('derms_ingest_new_devices_total', 'Devices that the wire added to the registry.'),
    newFeeders: counter('derms_ingest_new_feeders_total', 'Feeders that the wire added to the registry.'),
    movesNotFollowed: counter(
      'derms_ingest_moves_not_followed_total',
      'Devices that named another feeder which found no place; they stay where they are.',
    ),
    dropped: counter(
      'derms_ingest_qos0_dropped_total',
      'Messages sent with QoS 0 that found the queue full; the broker does not hold them back.',
    ),
    retries: counter('derms_ingest_database_retries_total', 'Attempts that Postgres did not answer or could not take.'),
    batchSeconds: new Histogram({
      name: 'derms_ingest_batch_seconds',
      help: 'From taking a batch in hand to its acknowledgement.',
      buckets: DURATION_BUCKETS,
      registers,
    }),
  };
}
