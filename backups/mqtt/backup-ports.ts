import type { RetentionRule } from '../../domain/retention/removable-backups';
import type { KeyRing } from '../../storage/encryption/key-ring';
import type { ObjectStorage } from '../../storage/port';
import type { BackupCatalogue } from '../catalogue';
import type { MqttManifest } from '../manifest-schema';
import type { CopyOptions, StoreCopy } from './copy-store';
import type { ProofPorts } from './prove-copy';

/** A broker whose store is copied, wherever that happens. */
export interface BackedUpBroker {
  readonly name: string;
  /** Makes the broker save and puts a copy into storage. */
  copyStore(runId: string, options: CopyOptions): Promise<StoreCopy>;
}

/** What the backup of the brokers stands on. */
export interface MqttBackupPorts extends ProofPorts {
  readonly storage: ObjectStorage;
  readonly keyRing: KeyRing;
  readonly brokers: readonly BackedUpBroker[];
  readonly catalogue: BackupCatalogue;
  readonly rule: RetentionRule;
  readonly deployment: MqttManifest['deployment'];
}
