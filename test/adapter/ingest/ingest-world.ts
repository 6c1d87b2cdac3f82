import { randomUUID } from 'node:crypto';
import { connectAsync, type MqttClient } from 'mqtt';
import { openPairSubscription } from '../../../broker/pair-subscription';
import type { Database } from '../../../db/pool';
import { createRefusedTelemetry } from '../../../db/refused-telemetry';
import { createWireRegistry } from '../../../db/registration';
import { createTelemetryStore } from '../../../db/telemetry-store';
import { prepareTelemetry } from '../../../db/time-series-upkeep';
import { startIngest, type Ingest, type IngestOptions } from '../../../ingest/start-ingest';
import { createRegistry } from '../../../observability/metrics';
import { eventually, testLog } from '../../support/servers';

export interface WorldBroker {
  readonly host: string;
  readonly port: number;
  readonly username?: string;
  readonly password?: string;
  /** A second broker that the ingest is told of; the world itself speaks to the first. */
  readonly standby?: { readonly host: string; readonly port: number };
}

export interface RunningIngest extends Ingest {
  /** Value of a metric; of all labels together when none is named. */
  metric(name: string, labels?: Record<string, string>): Promise<number>;
  readonly feedersAdded: string[];
  /** Waits until so many messages were taken and all of them acknowledged. */
  untilTaken(messages: number, withinMs?: number): Promise<void>;
}

type Json = Record<string, unknown>;
const RETENTION_DAYS = 30;

/** A database, a topic prefix of its own, and a device that speaks for all others. */
export class IngestWorld {
  readonly prefix = `test-${randomUUID()}`;
  private readonly started: Ingest[] = [];

  private constructor(
    readonly db: Database,
    private readonly broker: WorldBroker,
    private readonly client: MqttClient,
  ) {}

  static async create(db: Database, broker: WorldBroker): Promise<IngestWorld> {
    return new IngestWorld(db, broker, await connectAsync({ ...broker, protocolVersion: 5 }));
  }

  async start(options: Partial<IngestOptions> & { clientId?: string } = {}): Promise<RunningIngest> {
    const registry = createRegistry('ingest');
    const feedersAdded: string[] = [];
    const { clientId = 'derms-ingest-0', ...rest } = options;
    const ingest = await startIngest({
      options: {
        topicPrefix: this.prefix,
        maxPayloadBytes: 16_384,
        retentionDays: RETENTION_DAYS,
        batchRows: 100,
        batchWaitMs: 5,
        deviceAllowance: { burst: 20_000, perSecond: 20 },
        defaultFeederId: 'default',
        defaultFeederLimitKw: 100,
        controlIntervalSeconds: 7,
        maxAutoFeeders: 10,
        maxAutoDevices: 20,
        shared: true,
        ...rest,
      },
      log: testLog,
      metrics: registry,
      subscribe: (request, onMessage) =>
        openPairSubscription(
          { ...this.broker, ...request, clientId: `${this.prefix}-${clientId}`, sessionExpirySeconds: 60 },
          onMessage,
          { log: testLog, registry },
        ),
      store: createTelemetryStore(this.db),
      registry: createWireRegistry(this.db),
      refused: createRefusedTelemetry(this.db),
      ensurePartitions: () => prepareTelemetry(this.db, Date.now(), RETENTION_DAYS),
      onFeederAdded: (feederId) => {
        feedersAdded.push(feederId);
        return Promise.resolve();
      },
    });
    this.started.push(ingest);
    await eventually(() => expect(ingest.notReady()).toBeNull());
    const metric = async (name: string, labels: Record<string, string> = {}): Promise<number> => {
      const values = (await registry.getSingleMetric(name)?.get())?.values ?? [];
      return values
        .filter((value) => Object.entries(labels).every(([label, wanted]) => value.labels[label] === wanted))
        .reduce((sum, { value }) => sum + value, 0);
    };
    return {
      ...ingest,
      metric,
      feedersAdded,
      untilTaken: (messages, withinMs) =>
        eventually(async () => {
          expect(await metric('derms_ingest_messages_total')).toBeGreaterThanOrEqual(messages);
          expect(await metric('derms_ingest_in_flight')).toBe(0);
        }, withinMs),
    };
  }

  /** Publishes to `<prefix>/<topicTail>` and waits for the broker. */
  async publish(topicTail: string, content: Json | string | Buffer, qos: 0 | 1 = 1): Promise<void> {
    const payload = typeof content === 'string' || Buffer.isBuffer(content) ? content : JSON.stringify(content);
    await this.client.publishAsync(`${this.prefix}/${topicTail}`, payload, { qos });
  }

  /** Publishes telemetry to the topic that it belongs to. */
  async send(...messages: Json[]): Promise<void> {
    await Promise.all(
      messages.map((message) =>
        this.publish(`telemetry/${String(message['deviceType'])}/${String(message['deviceId'])}`, message),
      ),
    );
  }

  async measure(...messages: Json[]): Promise<void> {
    await Promise.all(messages.map((message) => this.publish(`meters/${String(message['feederId'])}`, message)));
  }

  async rows(sql: string, values: unknown[] = []): Promise<Json[]> {
    return (await this.db.query<Json>(sql, values)).rows;
  }

  async close(): Promise<void> {
    await Promise.all(this.started.map((ingest) => ingest.stop()));
    await this.client.endAsync(true);
  }
}

/** A sample of an EV charger of now; `payload`, `readings` and `status` are merged, everything else replaced. */
export function telemetry(
  change: Json & { readings?: Json; status?: Json; payload?: Json; deviceId?: string; deviceType?: string } = {},
): Json {
  const { readings, status, payload, ...rest } = change;
  return {
    v: 1,
    messageType: 'telemetry',
    messageId: randomUUID(),
    deviceId: 'ev-1',
    deviceType: 'ev',
    timestampMs: Date.now(),
    source: 'pi-agent',
    payload: { readings: { powerKw: 1, ...readings }, status: { online: true, ...status }, ...payload },
    ...rest,
  };
}

export const measurement = (feederId: string, flowKw: number, change: Json = {}): Json => ({
  v: 1,
  messageType: 'measurement',
  messageId: randomUUID(),
  feederId,
  timestampMs: Date.now(),
  source: 'simulator',
  payload: { flowKw },
  ...change,
});
