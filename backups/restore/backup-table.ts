import type { BackupManifest } from '../manifest-schema';
import type { FoundBackup } from './find-backups';

/** A line for each, newest first, in columns. */
export function backupTable(found: readonly FoundBackup<BackupManifest>[]): string {
  if (found.length === 0) return 'There is no backup.';
  const rows = found.map(({ manifest, signature, isWhole }) => [
    manifest.takenAt,
    manifest.backupId,
    `${(manifest.object.bytes / 1e6).toFixed(1)} MB`,
    manifest.object.keyId,
    stateOf(signature, isWhole),
    manifest.object.key,
  ]);
  const table = [['TAKEN AT', 'ID', 'STORED', 'KEY', 'MANIFEST', 'OBJECT'], ...rows];
  const widths = table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? [];
  return table
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function stateOf(signature: FoundBackup['signature'], isWhole: boolean): string {
  if (signature !== 'valid') return signature === 'unknown-key' ? 'KEY IS NOT HERE' : 'ALTERED';
  return isWhole ? 'signed' : 'CONTENT IS GONE';
}
