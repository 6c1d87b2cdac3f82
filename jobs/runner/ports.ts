import type { DatabaseBackupPorts } from '../../backups/database-ports';
import type { MqttBackupPorts } from '../../backups/mqtt/backup-ports';

/** What the jobs stand on; `worker/roles/jobs.ts` joins it to the real things. Each job takes what it needs. */
export interface JobPorts {
  readonly now: () => Date;
  readonly timeSeries: {
    /** Makes partitions ahead and removes those past their time; returns their names. */
    maintain(): Promise<{ readonly made: readonly string[]; readonly removed: readonly string[] }>;
  };
  /** A sentence where this deployment cannot back up its brokers: what it lacks. */
  readonly mqttBackup: MqttBackupPorts | string;
  /** The same of the database. */
  readonly databaseBackup: DatabaseBackupPorts | string;
}
