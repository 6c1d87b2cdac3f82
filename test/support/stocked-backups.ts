import { createHash } from 'node:crypto';
import { backupIdOf, backupKeyOf } from '../../backups/backup-key';
import { signManifest, writeManifest } from '../../backups/manifest';
import type { DumpManifest } from '../../backups/manifest-schema';
import type { BackupVault } from '../../backups/vault';

const RUN = '019ac1f0-7b00-7c11-8a22-9b33ac44bd55';
const CONTENT = Buffer.from('what would be a dump');

/** Lays a dump of that night into storage: content and signed manifest, or one of them. It is too small to be restored. */
export async function stockDump(
  { storage, keyRing }: BackupVault,
  takenAt: string,
  { content = true, manifest = true }: { readonly content?: boolean; readonly manifest?: boolean } = {},
): Promise<DumpManifest> {
  const made = aDumpManifest(keyRing, takenAt);
  if (content) await storage.put(made.object.key, once(CONTENT));
  if (manifest) await writeManifest(storage, made);
  return made;
}

const aDumpManifest = (keyRing: BackupVault['keyRing'], takenAt: string): DumpManifest => {
  const key = backupKeyOf('dump', new Date(takenAt), RUN);
  const sha256 = createHash('sha256').update(CONTENT).digest('hex');
  const measured = { bytes: CONTENT.length, sha256 };
  return signManifest<DumpManifest>(keyRing, {
    ...{ v: 1, kind: 'dump', backupId: backupIdOf(key), runId: RUN, workflowId: `job/db-backup/${RUN}` },
    ...{ deployment: 'development', takenAt, object: { key, ...measured, keyId: keyRing.currentKeyId } },
    ...{ server: { version: '15.18', systemIdentifier: '7312345678901234567', timeline: 1 }, tools: {}, steps: [] },
    ...{ dump: measured, compressed: measured, snapshotLsn: '0/2000028', migrations: [], tables: [], roles: [] },
    database: {
      ...{ name: 'derms', owner: 'derms_admin', encoding: 'UTF8', collate: 'C', ctype: 'C', bytes: 1 },
      ...{ settings: [], extensions: [] },
    },
    ...{ tablespaces: [], serverSettings: {} },
  });
};

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
