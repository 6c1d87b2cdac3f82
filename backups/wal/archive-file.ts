import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { constants, gunzip, gzip } from 'node:zlib';
import { decrypt } from '../../storage/encryption/decrypt';
import { encrypt } from '../../storage/encryption/encrypt';
import type { KeyRing } from '../../storage/encryption/key-ring';
import type { ObjectStorage } from '../../storage/port';
import { StorageError } from '../../storage/storage-error';
import { walKey } from './archive-key';
import { checkSegment } from './segment-header';

/** Where a cluster's log is archived. */
export interface WalArchive {
  readonly storage: ObjectStorage;
  readonly keyRing: KeyRing;
  readonly systemId: string;
}

/** A file of the log is never larger: `initdb --wal-segsize` ends at a GiB. */
const MOST_BYTES = 1024 ** 3;

/**
 * Stores one file of the log, compressed and encrypted. Answers only when the store has it for good; a file that is
 * there already with the same content is fine, since PostgreSQL offers one again after a crash.
 *
 * @throws {Error} when another content is stored under the name: two clusters archive to one place, and neither may win.
 */
export async function archiveFile(archive: WalArchive, path: string, name: string): Promise<'stored' | 'was-there'> {
  const content = await readFile(path);
  checkSegment(name, content, archive.systemId);
  const key = walKey(archive.systemId, name);
  const compressed = await promisify(gzip)(content, { level: constants.Z_BEST_SPEED });
  try {
    await archive.storage.put(key, encrypt(once(compressed), archive.keyRing, key), { ifAbsent: true });
    return 'stored';
  } catch (error) {
    if (!(error instanceof StorageError) || error.reason !== 'exists') throw error;
  }
  const stored = await readArchived(archive, name);
  if (stored.equals(content)) return 'was-there';
  throw new Error(
    `${name} is archived with another content: does another cluster archive to ${archive.storage.description}?`,
  );
}

/**
 * One file of the log as it was archived.
 *
 * @throws {StorageError} `missing` when it was not.
 */
export async function readArchived({ storage, keyRing, systemId }: WalArchive, name: string): Promise<Buffer> {
  const key = walKey(systemId, name);
  const pieces: Buffer[] = [];
  for await (const piece of decrypt(await storage.get(key), keyRing, key)) pieces.push(piece);
  const content = await promisify(gunzip)(Buffer.concat(pieces), { maxOutputLength: MOST_BYTES });
  checkSegment(name, content, systemId);
  return content;
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield await Promise.resolve(bytes);
}
