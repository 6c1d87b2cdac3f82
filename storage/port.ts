/** One stored object as its store describes it. */
export interface StoredObject {
  /** Path below the store's own root, with `/` between its parts. */
  readonly key: string;
  readonly bytes: number;
  /** When the store completed it, ms since the epoch by the store's clock. */
  readonly storedAtMs: number;
}

export interface PutOptions {
  /** When it fires nothing is stored and `put` rejects with its reason. */
  readonly signal?: AbortSignal;
  /** Bytes handed to the store so far; called as they go, not throttled. */
  readonly onProgress?: (bytes: number) => void;
  /** Refuses (`StorageError`, `exists`) when the key is there already, decided by the store. */
  readonly ifAbsent?: boolean;
}

/**
 * Where backups lie: a directory or an S3-compatible bucket. Objects are whole or not there: what fails, is aborted or
 * killed on the way leaves no object and, once swept, no part of one.
 *
 * Every call is bounded in time by the adapter and rejects with a `StorageError`.
 */
export interface ObjectStorage {
  /** Where it is, for people and logs: `directory /var/lib/derms/backups`, `s3 bucket derms-backups/prod`. No credential. */
  readonly description: string;
  /** Stores `content` when it has ended well; when it throws, nothing is stored and its error is what `put` rejects with. */
  put(key: string, content: AsyncIterable<Uint8Array>, options?: PutOptions): Promise<StoredObject>;
  /** The content as it was stored. Rejects (`missing`) when there is no such object. */
  get(key: string, options?: { readonly signal?: AbortSignal }): Promise<AsyncIterable<Uint8Array>>;
  /** null when there is no such object. */
  head(key: string): Promise<StoredObject | null>;
  /** Objects whose key begins with `prefix`, in the order of their keys. */
  list(prefix: string): AsyncIterable<StoredObject>;
  /** Harmless when there is no such object. Rejects (`locked`) when the store forbids it. */
  remove(key: string): Promise<void>;
  /**
   * Removes what aborted or killed puts of longer than `olderThanMs` ago left, of keys that begin with `prefix`; returns
   * how many were removed. A put that still goes on fails by it.
   */
  sweepParts(olderThanMs: number, prefix?: string): Promise<number>;
}

/** Of `sweepParts`: however young by the clock of the store. For who knows that nobody else puts there. */
export const OF_ANY_AGE = Number.NEGATIVE_INFINITY;
