import type { RetentionRule } from '../domain/retention/removable-backups';
import type { BackupCatalogue } from './catalogue';
import type { DumpPorts } from './postgres/take-dump';

/** What the backups of the database stand on. */
export interface DatabaseBackupPorts extends DumpPorts {
  readonly catalogue: BackupCatalogue;
  readonly rules: Readonly<Record<'dump' | 'base', RetentionRule>>;
}
