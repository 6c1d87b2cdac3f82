import { createBrokerAgentActivities } from '../../activities/broker-agent';
import { copyStore } from '../../backups/mqtt/copy-store';
import { temporalAccess } from '../../config/connections';
import { connectWhenReady, installRuntime } from '../../temporal/runtime';
import { brokerQueue } from '../../workflows/messages';
import { AGENT_SETTINGS } from '../agent-settings';
import { openBackupVault } from '../../backups/vault';
import { watchBrokerLog } from '../broker-log';
import { configuredBrokerStore } from '../broker-store';
import { beginRoleWith, runRole } from '../role-process';
import { startTemporalWorker } from '../temporal-worker';

/**
 * Role `broker-agent`: runs beside one broker and does what needs its process and its disk. Takes work from the queue
 * `broker/{BROKER_NAME}`; needs Temporal and the backup storage, and neither database nor broker account.
 */
async function main(): Promise<void> {
  const role = await beginRoleWith('broker-agent', AGENT_SETTINGS);
  const { settings, secrets, log, missing } = role;
  const store = configuredBrokerStore(settings);
  if (typeof store === 'string') throw new Error(store);
  const vault = await openBackupVault(settings);
  if (vault === null) throw new Error('the agent needs BACKUP_STORAGE and BACKUP_ENCRYPTION_KEYS');
  if (settings.BROKER_LOG_PATH !== undefined) watchBrokerLog(settings.BROKER_LOG_PATH, role); // needs no Temporal
  missing.add('Temporal');
  installRuntime(log, `${settings.METRICS_HOST}:${String(settings.TEMPORAL_METRICS_PORT)}`);
  const temporal = temporalAccess(settings, secrets);
  const connection = await connectWhenReady(temporal, log, new AbortController().signal);
  await startTemporalWorker(role, {
    connection,
    access: temporal,
    taskQueue: brokerQueue(settings.BROKER_NAME),
    activities: createBrokerAgentActivities({
      copyStore: (runId, options) => copyStore({ store, ...vault }, runId, options),
    }),
    maxConcurrentActivities: 1,
  });
  missing.delete('Temporal');
  log.info({ broker: store.description, storage: vault.storage.description }, 'ready');
}

runRole(main);
