import { createHash } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { DermsError } from '../../domain/errors';
import { decrypt } from '../../storage/encryption/decrypt';
import type { BackupVault } from '../vault';
import { isManifestKey, objectKeyOf } from '../manifest';
import { copiesOf } from './copy-keys';
import type { StoreCopy } from './copy-store';
import { StoreWalker, type StoreStructure } from './store-structure';

/**
 * Brings a copy back into a new file (mode 0600), decrypted, and holds it against what was read from the broker. The
 * file stays only when it is that.
 *
 * @throws {DermsError} `BROKER_STORE_FAULTY` when it differs, `BACKUP_UNREADABLE` when it cannot be decrypted.
 */
export async function fetchCopy(
  { storage, keyRing }: BackupVault,
  copy: Pick<StoreCopy, 'key' | 'bytes' | 'sha256'>,
  file: string,
  signal: AbortSignal,
): Promise<StoreStructure> {
  const walker = new StoreWalker();
  const hash = createHash('sha256');
  async function* watched(): AsyncGenerator<Uint8Array> {
    for await (const piece of decrypt(await storage.get(copy.key, { signal }), keyRing, copy.key)) {
      walker.push(piece);
      hash.update(piece);
      yield piece;
    }
  }
  const target = await open(file, 'wx', 0o600);
  try {
    await pipeline(Readable.from(watched()), target.createWriteStream(), { signal });
    const structure = walker.end(copy.bytes);
    if (hash.digest('hex') === copy.sha256) return structure;
    throw new DermsError('BROKER_STORE_FAULTY', `${copy.key} is not what was read from the broker: its sha256 differs`);
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  }
}

/** Keys of the proven copies of a broker, the newest last. */
export async function provenCopies({ storage }: Pick<BackupVault, 'storage'>, broker: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of storage.list(copiesOf(broker))) if (isManifestKey(key)) keys.push(objectKeyOf(key));
  return keys;
}
