import { openAcknowledgedSubscription } from '../../broker/acknowledged-subscription';
import { settingsSchema } from '../../config/schema';
import { openDatabase, type DatabaseOptions } from '../../db/pool';
import { createRefusedTelemetry } from '../../db/refused-telemetry';
import { createWireRegistry } from '../../db/registration';
import { createTelemetryStore } from '../../db/telemetry-store';
import { prepareTelemetry } from '../../db/time-series-upkeep';
import { startIngest } from '../../ingest/start-ingest';
import { createLogger } from '../../observability/logger';
import { createRegistry } from '../../observability/metrics';

export interface IngestOrder {
  readonly database: DatabaseOptions;
  readonly mqttHost: string;
  readonly mqttPort: number;
  readonly clientId: string;
  readonly topicPrefix: string;
  readonly logLevel: 'warn' | 'silent';
  /** Reports once so many were acknowledged. */
  readonly messages: number;
}

export type IngestReport =
  | { readonly event: 'ready' }
  /** From the first message to the acknowledgement of the last, whose row is committed by then. */
  | { readonly event: 'committed'; readonly messages: number; readonly seconds: number }
  | { readonly event: 'memory'; readonly rssBytes: number; readonly heapBytes: number };

const MEMORY_EACH_MS = 1_000;

/** The ingest as the worker runs it, with the defaults of the configuration. */
async function ingest(order: IngestOrder): Promise<void> {
  const settings = settingsSchema.parse({ DB_PASSWORD: order.database.password });
  const log = createLogger({ service: 'derms', role: 'ingest', level: order.logLevel, pretty: false });
  const registry = createRegistry('ingest');
  const db = openDatabase(order.database, log);
  let firstAt: number | null = null;
  const started = await startIngest({
    options: {
      topicPrefix: order.topicPrefix,
      maxPayloadBytes: settings.MQTT_MAX_PAYLOAD_BYTES,
      retentionDays: settings.TELEMETRY_RETENTION_DAYS,
      batchRows: settings.INGEST_BATCH_ROWS,
      batchWaitMs: settings.INGEST_BATCH_WAIT_MS,
      deviceAllowance: { burst: 20_000, perSecond: 20 },
      defaultFeederId: settings.DEFAULT_FEEDER_ID,
      defaultFeederLimitKw: settings.DEFAULT_FEEDER_LIMIT_KW,
      controlIntervalSeconds: settings.CONTROL_INTERVAL_SECONDS,
      maxAutoFeeders: settings.MAX_AUTO_FEEDERS,
      maxAutoDevices: settings.MAX_AUTO_DEVICES,
      shared: true,
    },
    log,
    metrics: registry,
    subscribe: (request, onMessage) => {
      const subscription = openAcknowledgedSubscription(
        {
          ...request,
          host: order.mqttHost,
          port: order.mqttPort,
          clientId: order.clientId,
          sessionExpirySeconds: settings.INGEST_SESSION_EXPIRY_SECONDS,
        },
        (topic, payload, sequence, qos) => {
          firstAt ??= performance.now();
          onMessage(topic, payload, sequence, qos);
        },
        { log, registry },
      );
      return {
        get subscribed() {
          return subscription.subscribed;
        },
        get unacknowledged() {
          return subscription.unacknowledged;
        },
        close: () => subscription.close(),
        acknowledgeThrough(sequence) {
          subscription.acknowledgeThrough(sequence);
          if (sequence < order.messages) return;
          const seconds = (performance.now() - (firstAt ?? 0)) / 1000;
          report({ event: 'committed', messages: sequence, seconds });
        },
      };
    },
    store: createTelemetryStore(db),
    registry: createWireRegistry(db),
    refused: createRefusedTelemetry(db),
    ensurePartitions: () => prepareTelemetry(db, Date.now(), settings.TELEMETRY_RETENTION_DAYS),
    onFeederAdded: () => Promise.resolve(),
  });
  const ready = setInterval(() => {
    if (started.notReady() !== null) return;
    clearInterval(ready);
    report({ event: 'ready' });
  }, 5);
  setInterval(() => {
    const { rss, heapUsed } = process.memoryUsage();
    report({ event: 'memory', rssBytes: rss, heapBytes: heapUsed });
  }, MEMORY_EACH_MS);
  process.once('SIGTERM', () => {
    void started
      .stop()
      .then(() => db.close())
      .then(() => process.exit(0));
  });
}

const report = (message: IngestReport): void => {
  process.send?.(message);
};

process.once('disconnect', () => process.exit(1)); // whoever measures has gone
process.once('message', (order) => {
  void ingest(order as IngestOrder);
});
