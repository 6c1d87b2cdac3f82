import type { BrokerStore } from '../backups/mqtt/broker-store';
import { localBrokerStore } from '../backups/mqtt/local-broker-store';
import type { Settings } from '../config/schema';

type BrokerSettings = Pick<Settings, 'BROKER_NAME' | 'BROKER_STORE_PATH' | 'BROKER_PID_FILE' | 'BROKER_PID'>;

/** The store that the settings name; a sentence that says what is missing where they name none. */
export function configuredBrokerStore(settings: BrokerSettings): BrokerStore | string {
  const { BROKER_NAME: name, BROKER_STORE_PATH: storePath, BROKER_PID: pid, BROKER_PID_FILE: pidFile } = settings;
  if (storePath === undefined) return 'BROKER_STORE_PATH is not set: where the store of the broker lies is not known';
  if (pid !== undefined) return localBrokerStore({ name, storePath, process: { pid } });
  if (pidFile !== undefined) return localBrokerStore({ name, storePath, process: { pidFile } });
  return 'neither BROKER_PID_FILE nor BROKER_PID is set: the broker cannot be asked to save';
}
