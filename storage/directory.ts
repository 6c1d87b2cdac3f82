import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readdir, rename, rmdir, stat, unlink, type FileHandle } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { timed } from './file-failure';
import { requireObjectKey } from './object-key';
import type { ObjectStorage, PutOptions, StoredObject } from './port';
import { StorageError } from './storage-error';
import { untilAborted } from './until-aborted';

/** Holds what is not whole yet; on the same file system as the objects, since these come to their place by a rename. */
const PARTS = '.parts';
const READ_BYTES = 1024 ** 2;
const WRITE_BYTES = 1024 ** 2;
const COMMIT_ATTEMPTS = 3;
/** What the system still holds back may be gigabytes, on a slow disk. */
const LONGEST_SYNC_MS = 900_000;
/** Making a folder where a file is: no object is there, but none can be put there either. */
const FILE_IN_THE_WAY = { reasons: { EEXIST: 'denied', ENOTDIR: 'denied' } } as const;

/**
 * Objects as files below `root`, which the first `put` makes. Files are 0600 and folders 0700. An object is written
 * elsewhere, synced to the disk and only then linked or renamed to its place, so a killed process or a lost power supply
 * leaves a whole object or none.
 */
export function createDirectoryStorage(root: string): ObjectStorage {
  const top = resolve(root);
  const parts = join(top, PARTS);
  const pathOf = (key: string): string => join(top, requireObjectKey(key));

  return {
    description: `directory ${top}`,

    async put(key, content, options = {}) {
      const target = pathOf(key);
      await timed(`make ${parts}`, makeFolder(parts), FILE_IN_THE_WAY);
      const part = join(parts, `${partNameOf(key)}~${randomUUID()}.part`);
      try {
        await writePart(part, content, options);
        options.signal?.throwIfAborted();
        await commit(part, target, key, options.ifAbsent === true);
      } catch (error) {
        await unlink(part).catch(() => undefined);
        throw error;
      }
      return (await this.head(key)) ?? gone(key);
    },

    async get(key, { signal } = {}) {
      const path = pathOf(key);
      signal?.throwIfAborted();
      const stored = (await this.head(key)) ?? gone(key);
      return untilAborted(contentOf(path, key, stored.bytes), signal);
    },

    head: (key) => describe(pathOf(key), key),

    list: (prefix) => walk(top, '', prefix),

    async remove(key) {
      const path = pathOf(key);
      try {
        await timed(`remove ${key}`, unlink(path), { reasons: { EPERM: 'locked' } });
        await timed(`sync the folder of ${key}`, syncFolder(dirname(path)));
      } catch (error) {
        if (error instanceof StorageError && error.reason === 'missing') return;
        throw error;
      }
      await removeEmptyFolders(dirname(path), top);
    },

    async sweepParts(olderThanMs, prefix = '') {
      const before = Date.now() - olderThanMs;
      let removed = 0;
      for (const name of await namesIn(parts)) {
        if (!name.startsWith(partNameOf(prefix))) continue;
        const path = join(parts, name);
        const found = await stat(path).catch(() => null);
        if (found === null || found.mtimeMs >= before) continue;
        await timed(`remove ${path}`, unlink(path));
        removed += 1;
      }
      return removed;
    },
  };
}

/** Of which object a part is; only the beginning of a long key, as names of files are short. No key has a `~`. */
const partNameOf = (key: string): string => key.replaceAll('/', '~').slice(0, 200);

async function writePart(path: string, content: AsyncIterable<Uint8Array>, options: PutOptions): Promise<void> {
  const file = await timed(`make ${path}`, open(path, 'wx', 0o600));
  try {
    let written = 0;
    for await (const chunks of gathered(untilAborted(content, options.signal))) {
      written += await writeAll(file, chunks);
      options.onProgress?.(written);
    }
    await timed(`sync ${path}`, file.sync(), { withinMs: LONGEST_SYNC_MS });
  } finally {
    await file.close();
  }
}

/** Small chunks as one list of about a MiB, so that each costs no system call of its own. */
async function* gathered(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array[]> {
  let waiting: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of content) {
    waiting.push(chunk);
    bytes += chunk.byteLength;
    if (bytes < WRITE_BYTES && waiting.length < 256) continue;
    yield waiting;
    waiting = [];
    bytes = 0;
  }
  yield waiting;
}

/** A disk that is nearly full takes less than it is given before it refuses. */
async function writeAll(file: FileHandle, chunks: readonly Uint8Array[]): Promise<number> {
  const total = chunks.reduce((sum, { byteLength }) => sum + byteLength, 0);
  let rest = chunks.filter(({ byteLength }) => byteLength > 0);
  while (rest.length > 0) {
    const { bytesWritten } = await timed('write', file.writev(rest));
    rest = without(rest, bytesWritten);
  }
  return total;
}

/** What is left of the chunks after their first `bytes`. */
function without(chunks: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let toSkip = bytes;
  return chunks.flatMap((chunk) => {
    const skipped = Math.min(toSkip, chunk.byteLength);
    toSkip -= skipped;
    return skipped === chunk.byteLength ? [] : [chunk.subarray(skipped)];
  });
}

/** Brings a whole part to its place. The folder may be removed by somebody who just emptied it: then once more. */
async function commit(part: string, target: string, key: string, ifAbsent: boolean): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await timed(`make the folder of ${key}`, makeFolder(dirname(target)), FILE_IN_THE_WAY);
      if (ifAbsent) {
        await timed(`store ${key}`, link(part, target));
        await timed(`remove ${part}`, unlink(part));
      } else {
        await timed(`store ${key}`, rename(part, target));
      }
      await timed(`sync the folder of ${key}`, syncFolder(dirname(target)));
      return;
    } catch (error) {
      if (!(error instanceof StorageError) || error.reason !== 'missing') throw error;
      if (attempt < COMMIT_ATTEMPTS && (await isThere(part))) continue;
      throw new StorageError('unavailable', `${key} was removed while it was stored`, { cause: error });
    }
  }
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** A folder with those above it, each known to the disk before anything is put into it. */
async function makeFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = path; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made));
}

/** A rename is only sure to survive a lost power supply when the folder is synced too. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function removeEmptyFolders(folder: string, top: string): Promise<void> {
  for (let path = folder; path !== top; path = dirname(path)) {
    const empty = await rmdir(path).then(
      () => true,
      () => false,
    );
    if (!empty) return;
  }
}

async function* contentOf(path: string, key: string, bytes: number): AsyncGenerator<Uint8Array> {
  const file = await timed(`read ${key}`, open(path, 'r'));
  try {
    let read = 0;
    for (;;) {
      const { bytesRead, buffer } = await timed(
        `read ${key}`,
        file.read(Buffer.allocUnsafe(READ_BYTES), 0, READ_BYTES),
      );
      if (bytesRead === 0) break;
      read += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
    if (read !== bytes) {
      throw new StorageError('damaged', `${key} ended after ${String(read)} of ${String(bytes)} bytes`);
    }
  } finally {
    await file.close();
  }
}

async function describe(path: string, key: string): Promise<StoredObject | null> {
  try {
    const found = await timed(`look at ${key}`, stat(path));
    return found.isFile() ? { key, bytes: found.size, storedAtMs: Math.floor(found.mtimeMs) } : null;
  } catch (error) {
    if (error instanceof StorageError && error.reason === 'missing') return null;
    throw error;
  }
}

/** In the order of keys: a folder `a` comes where `a/` belongs, after `a.txt` and before `a0`. */
async function* walk(folder: string, above: string, prefix: string): AsyncGenerator<StoredObject> {
  const entries = await timed(`list ${folder}`, readdir(folder, { withFileTypes: true })).catch(emptyWhenMissing);
  const keys = entries
    .filter(({ name }) => !name.startsWith('.'))
    .map((entry) => (entry.isDirectory() ? `${above}${entry.name}/` : `${above}${entry.name}`))
    .sort((a, b) => (a < b ? -1 : 1));
  for (const key of keys) {
    if (key.endsWith('/')) {
      const mayHold = key.startsWith(prefix) || prefix.startsWith(key);
      if (mayHold) yield* walk(join(folder, key.slice(above.length, -1)), key, prefix);
    } else if (key.startsWith(prefix)) {
      const found = await describe(join(folder, key.slice(above.length)), key);
      if (found !== null) yield found;
    }
  }
}

const namesIn = (folder: string): Promise<string[]> => timed(`list ${folder}`, readdir(folder)).catch(emptyWhenMissing);

function emptyWhenMissing(error: unknown): never[] {
  if (error instanceof StorageError && error.reason === 'missing') return [];
  throw error;
}

function gone(key: string): never {
  throw new StorageError('missing', `there is no object ${key}`);
}
