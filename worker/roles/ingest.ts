import { Client } from '@temporalio/client';
import { openPairSubscription } from '../../broker/pair-subscription';
import { brokerAccess, temporalAccess } from '../../config/connections';
import { createRefusedTelemetry } from '../../db/refused-telemetry';
import { createWireRegistry } from '../../db/registration';
import { createTelemetryStore } from '../../db/telemetry-store';
import { prepareTelemetry } from '../../db/time-series-upkeep';
import { startIngest } from '../../ingest/start-ingest';
import { connectLazily } from '../../temporal/client-connection';
import { triggerSupervisor } from '../../temporal/schedules';
import { beginRole, openRoleDatabase, runRole, tellSecrets } from '../role-process';

const TEMPORAL_CALL_MS = 3_000;

/** Role `ingest`: telemetry and meter readings from the broker into Postgres. */
async function main(): Promise<void> {
  const role = await beginRole('ingest');
  const { settings, secrets, log, registry, shutdown, missing } = role;
  const db = await openRoleDatabase(role, 'ingest');
  tellSecrets(role, 'ingest', db);
  const connection = connectLazily(temporalAccess(settings, secrets), { log });
  shutdown.add('Temporal client', () => connection.close());
  const client = new Client({ connection, namespace: settings.TEMPORAL_NAMESPACE });

  const broker = brokerAccess(settings, secrets);
  const ingest = await startIngest({
    options: {
      shared: settings.INGEST_SHARED,
      topicPrefix: settings.MQTT_TOPIC_PREFIX,
      maxPayloadBytes: settings.MQTT_MAX_PAYLOAD_BYTES,
      retentionDays: settings.TELEMETRY_RETENTION_DAYS,
      batchRows: settings.INGEST_BATCH_ROWS,
      batchWaitMs: settings.INGEST_BATCH_WAIT_MS,
      deviceAllowance: { burst: settings.INGEST_DEVICE_BURST, perSecond: settings.INGEST_DEVICE_PER_SECOND },
      defaultFeederId: settings.DEFAULT_FEEDER_ID,
      defaultFeederLimitKw: settings.DEFAULT_FEEDER_LIMIT_KW,
      controlIntervalSeconds: settings.CONTROL_INTERVAL_SECONDS,
      maxAutoFeeders: settings.MAX_AUTO_FEEDERS,
      maxAutoDevices: settings.MAX_AUTO_DEVICES,
    },
    log,
    metrics: registry,
    subscribe: (request, onMessage) =>
      openPairSubscription(
        {
          ...broker,
          clientId: `derms-ingest-${settings.INSTANCE_ID}`,
          ...request,
          sessionExpirySeconds: settings.INGEST_SESSION_EXPIRY_SECONDS,
        },
        onMessage,
        { log, registry },
      ),
    store: createTelemetryStore(db),
    registry: createWireRegistry(db),
    refused: createRefusedTelemetry(db),
    ensurePartitions: () => prepareTelemetry(db, Date.now(), settings.TELEMETRY_RETENTION_DAYS),
    onFeederAdded: () => client.withDeadline(Date.now() + TEMPORAL_CALL_MS, () => triggerSupervisor(client)),
  });
  shutdown.add('ingest', () => ingest.stop());
  missing.add('broker');
  const watch = setInterval(() => {
    if (ingest.notReady() !== null) return;
    missing.delete('broker');
    clearInterval(watch);
    log.info('ready');
  }, 50);
  shutdown.add('readiness', () => {
    clearInterval(watch);
  });
}

runRole(main);
