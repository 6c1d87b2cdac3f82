import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { z } from 'zod';
import type { Deletion } from '../../domain/deletion';
import { decrypt } from '../../storage/encryption/decrypt';
import { encrypt } from '../../storage/encryption/encrypt';
import type { BackupVault } from '../vault';

// What was deleted, apart from the database that it was deleted from: small encrypted objects beside the backups, each written
// once. Nobody removes them, since the oldest backup that somebody keeps may be restored.

export const LEDGER = 'deletions/';

/** Clocks of the store and of the server may differ. */
const MARGIN_MS = 3_600_000;

const pageSchema = z.array(
  z.object({
    kind: z.enum(['device', 'feeder', 'machine-token']),
    subject: z.string().min(1),
    deletedAt: z.iso.datetime(),
  }),
);

/** As one object. */
export async function storeDeletions(
  { storage, keyRing }: BackupVault,
  deletions: readonly Deletion[],
  now: Date,
): Promise<void> {
  const key = `${LEDGER}${now.toISOString().replaceAll(/[:.]/g, '-')}-${randomBytes(6).toString('hex')}.json.enc`;
  const page = deletions.map(({ kind, subject, deletedAt }) => ({ kind, subject, deletedAt }));
  const content = Readable.from([Buffer.from(JSON.stringify(page))]);
  await storage.put(key, encrypt(content, keyRing, key), { ifAbsent: true });
}

export interface LedgerRead {
  readonly deletions: readonly Deletion[];
  /** Pages that cannot be read: what they tell of comes back. */
  readonly unreadable: readonly { readonly key: string; readonly why: string }[];
}

/** What the store was told after the moment that a backup shows; rejects when the store does not answer. */
export async function readDeletions(
  {
    storage,
    keyRing,
  }: { readonly storage: Pick<BackupVault['storage'], 'list' | 'get'> } & Pick<BackupVault, 'keyRing'>,
  takenAt: Date,
): Promise<LedgerRead> {
  const deletions: Deletion[] = [];
  const unreadable: { key: string; why: string }[] = [];
  for await (const { key, storedAtMs } of storage.list(LEDGER)) {
    if (storedAtMs < takenAt.getTime() - MARGIN_MS) continue;
    const stored = await storage.get(key);
    try {
      const pieces: Buffer[] = [];
      for await (const piece of decrypt(stored, keyRing, key)) pieces.push(piece);
      deletions.push(...pageSchema.parse(JSON.parse(Buffer.concat(pieces).toString())));
    } catch (error) {
      unreadable.push({ key, why: error instanceof Error ? error.message : String(error) });
    }
  }
  return { deletions, unreadable };
}
