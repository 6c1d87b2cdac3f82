import type { RetentionRule } from '../domain/retention/removable-backups';
import type { BackupCatalogue } from './catalogue';
import type { DumpPorts } from './postgres/take-dump';

/** What the backups of the database stand on. */
export interface DatabaseBackupPorts extends DumpPorts {
  readonly catalogue: BackupCatalogue;
  /** Where base backups are unpacked to be looked at; takes the size of the cluster. */
  readonly scratchParent: string;
  readonly rules: Readonly<Record<'dump' | 'base', RetentionRule>>;
}
