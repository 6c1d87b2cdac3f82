import type { Finding } from '../../domain/reconciliation';
import { adoptBackups, type Adopted } from '../adopt-backups';
import type { StoredKind } from '../backup-key';
import type { BackupCatalogue } from '../catalogue';
import { isBackup, takeStock } from '../stock';
import type { BackupVault } from '../vault';

const KINDS: readonly StoredKind[] = ['dump', 'base', 'mqtt'];

export interface BackupPorts extends BackupVault {
  readonly catalogue: Pick<BackupCatalogue, 'add' | 'kept' | 'unknown' | 'beginDeletion' | 'endDeletion'>;
}

/**
 * Compares the rows of backups in a restored database with what storage holds: backups that it has forgotten have a row
 * again, unproven; rows of backups that retention has let go since are closed. Nothing in storage is touched.
 *
 * Rejects when the storage is not the one that the database was restored from: there every row would seem gone.
 */
export async function reconcileBackups(
  ports: BackupPorts,
  { restoredFrom, apply }: { readonly restoredFrom: string | null; readonly apply: boolean },
): Promise<Finding[]> {
  await requireSource(ports, restoredFrom);
  const findings: Finding[] = [];
  for (const kind of KINDS) {
    const compared = await adoptBackups(ports, kind, { dryRun: !apply });
    if (apply) for (const { backupId } of compared.gone) await close(ports, backupId, restoredFrom);
    findings.push(...findingsOf(compared, apply ? 'done' : 'would'));
  }
  return findings;
}

async function requireSource(ports: BackupPorts, restoredFrom: string | null): Promise<void> {
  if (restoredFrom === null) return;
  const { manifests } = await takeStock(ports, 'dump');
  if (manifests.some((stocked) => stocked.manifest.backupId === restoredFrom && isBackup(stocked))) return;
  const { description } = ports.storage;
  throw new Error(`${description} does not hold backup ${restoredFrom}: is BACKUP_STORAGE that of the restore?`);
}

async function close({ catalogue }: BackupPorts, backupId: string, restoredFrom: string | null): Promise<void> {
  await catalogue.beginDeletion(backupId, { notInStorage: true, seenAfterRestoreOf: restoredFrom });
  await catalogue.endDeletion(backupId);
}

const findingsOf = ({ adopted, gone, untrusted }: Adopted, outcome: 'done' | 'would'): Finding[] => [
  ...adopted.map((subject) => ({
    ...({ kind: 'backup-unknown', subject, outcome } as const),
    detail: 'in storage and signed, without a row: it has one again, unproven until it is looked at',
  })),
  ...gone.map(({ key }) => ({
    ...({ kind: 'backup-gone', subject: key, outcome } as const),
    detail: 'on record, and not in storage any more: its row is closed',
  })),
  ...untrusted.map(({ key, why }) => ({
    ...({ kind: 'backup-untrusted', subject: key, outcome: 'noted' } as const),
    detail: why,
  })),
];
