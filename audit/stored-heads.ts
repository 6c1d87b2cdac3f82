import type { HeadRow } from '../db/audit-chain';
import { StorageError } from '../storage/storage-error';
import type { ObjectStorage } from '../storage/port';
import { fromStoredHead, headSchema, toStoredHead } from './head';

export const HEADS_PREFIX = 'audit/heads/';
/** A head has some 350. */
const MOST_BYTES = 4_096;

/**
 * Puts a head where the database cannot reach it. Never over another: the key names position and hash, so a head that is
 * there already is this one, and a chain that was begun anew at the same position lies beside it.
 */
export async function storeHead(storage: ObjectStorage, head: HeadRow, signal?: AbortSignal): Promise<string> {
  const key = keyOf(head);
  const content = Buffer.from(`${JSON.stringify(toStoredHead(head), undefined, 2)}\n`);
  try {
    await storage.put(key, once(content), { ifAbsent: true, ...(signal === undefined ? {} : { signal }) });
  } catch (error) {
    if (!(error instanceof StorageError && error.reason === 'exists')) throw error;
  }
  return key;
}

/** What lies under the prefix: heads, and keys of what is none. In the order of their positions. */
export interface StoredHeads {
  readonly heads: readonly HeadRow[];
  readonly unreadable: readonly string[];
}

export async function readStoredHeads(storage: ObjectStorage): Promise<StoredHeads> {
  const heads: HeadRow[] = [];
  const unreadable: string[] = [];
  for await (const { key, bytes } of storage.list(HEADS_PREFIX)) {
    const head = bytes > MOST_BYTES ? null : await readHead(storage, key);
    if (head === null) unreadable.push(key);
    else heads.push(head);
  }
  return { heads, unreadable };
}

async function readHead(storage: ObjectStorage, key: string): Promise<HeadRow | null> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of await storage.get(key)) chunks.push(chunk);
  try {
    const parsed = headSchema.safeParse(JSON.parse(Buffer.concat(chunks).toString('utf8')));
    return parsed.success ? fromStoredHead(parsed.data) : null;
  } catch {
    return null; // no JSON, which the caller tells
  }
}

const keyOf = ({ position, hash }: HeadRow): string =>
  `${HEADS_PREFIX}${String(position).padStart(16, '0')}-${hash.toString('hex').slice(0, 16)}.json`;

// eslint-disable-next-line @typescript-eslint/require-await -- the storage takes what streams
async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
