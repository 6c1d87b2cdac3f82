import { rename, rm, writeFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { StorageError } from '../../storage/storage-error';
import { readArchived, type WalArchive } from './archive-file';

const PAUSES_MS = [500, 2_000, 5_000];

/**
 * Brings one file of the log back to where PostgreSQL wants it, whole or not at all. false when the archive has none of
 * that name, which recovery takes for the end of the log.
 *
 * @throws when it cannot be known or read: recovery must not go on as if the log ended there.
 */
export async function restoreFile(archive: WalArchive, name: string, path: string): Promise<boolean> {
  const content = await readPatiently(archive, name);
  if (content === null) return false;
  const part = `${path}.part`;
  try {
    await writeFile(part, content, { mode: 0o600 });
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
  return true;
}

/** null when there is none; what may pass is waited for a little. */
async function readPatiently(archive: WalArchive, name: string): Promise<Buffer | null> {
  for (const ms of [...PAUSES_MS, null]) {
    try {
      return await readArchived(archive, name);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      if (error.reason === 'missing') return null;
      if (error.reason !== 'unavailable' || ms === null) throw error;
      await pause(ms);
    }
  }
  return null;
}
