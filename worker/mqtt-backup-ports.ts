import type { BackedUpBroker, MqttBackupPorts } from '../backups/mqtt/backup-ports';
import { copyStore, type CopyOptions, type StoreCopy } from '../backups/mqtt/copy-store';
import type { Settings } from '../config/schema';
import { backupCatalogue } from '../db/backup-catalogue';
import type { Database } from '../db/pool';
import { findProgram } from '../servers/find-program';
import type { BackupVault } from '../backups/vault';
import { configuredBrokerStore } from './broker-store';

const DAY_MS = 86_400_000;

export interface BrokerAgents {
  /** Has the agent beside a broker make a copy. */
  copyStore(broker: string, runId: string, signal: AbortSignal): Promise<unknown>;
}

/** Joins the backup of the brokers to this deployment; a sentence where it lacks something. */
export function mqttBackupPorts(
  settings: Settings,
  vault: BackupVault | null,
  db: Database,
  agents: BrokerAgents,
): MqttBackupPorts | string {
  if (vault === null) return 'BACKUP_STORAGE or BACKUP_ENCRYPTION_KEYS is not set: there is no place for copies';
  const mosquitto = settings.MOSQUITTO_PATH ?? findProgram('mosquitto');
  if (mosquitto === undefined) return 'mosquitto is not on this machine (MOSQUITTO_PATH): copies cannot be proven';
  const brokers = settings.MQTT_BACKUP_BROKERS.map((name) =>
    name === LOCAL ? localBroker(settings, vault) : agentBroker(name, agents),
  );
  const missing = brokers.find((broker) => typeof broker === 'string');
  if (missing !== undefined) return missing;
  return {
    ...vault,
    mosquitto: {
      path: mosquitto,
      ...(settings.MOSQUITTO_LIBRARY_PATH !== undefined && { libraryPath: settings.MOSQUITTO_LIBRARY_PATH }),
    },
    brokers: brokers.filter((broker) => typeof broker !== 'string'),
    deployment: settings.DEPLOYMENT,
    catalogue: backupCatalogue(db),
    rule: { keepMs: settings.MQTT_BACKUP_KEEP_DAYS * DAY_MS, leastDaily: 0, leastWeekly: 0, leastNewest: 1 },
  };
}

/** In MQTT_BACKUP_BROKERS: the one that BROKER_STORE_PATH names. */
const LOCAL = 'local';

function localBroker(settings: Settings, vault: BackupVault): BackedUpBroker | string {
  const store = configuredBrokerStore(settings);
  if (typeof store === 'string') return store;
  return { name: store.name, copyStore: (runId, options) => copyStore({ store, ...vault }, runId, options) };
}

const agentBroker = (name: string, agents: BrokerAgents): BackedUpBroker => ({
  name,
  copyStore: async (runId: string, { signal = new AbortController().signal }: CopyOptions) =>
    // Made by `copyStore` of an agent of the same program.
    (await agents.copyStore(name, runId, signal)) as StoreCopy,
});
