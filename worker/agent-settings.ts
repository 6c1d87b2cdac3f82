import type { SettingName } from '../config/schema';
import { VAULT_SETTINGS } from '../backups/vault';
import { TEMPORAL_SETTINGS } from '../config/connections';

/** All that the agent beside a broker is told: no account of the database or of the broker. */
export const AGENT_SETTINGS = [
  ...VAULT_SETTINGS,
  ...TEMPORAL_SETTINGS,
  'INSTANCE_ID',
  'LOG_LEVEL',
  'LOG_PRETTY',
  'METRICS_HOST',
  'METRICS_PORT',
  'PROMETHEUS_ENABLED',
  'PROMETHEUS_PATH',
  'TEMPORAL_METRICS_PORT',
  'TEMPORAL_MAX_CACHED_WORKFLOWS',
  'WORKER_ROLES',
  'BROKER_NAME',
  'BROKER_STORE_PATH',
  'BROKER_PID_FILE',
  'BROKER_PID',
  'BROKER_LOG_PATH',
] as const satisfies readonly SettingName[];
