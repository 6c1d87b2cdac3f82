import { createHash } from 'node:crypto';
import type { ObjectStorage } from '../../storage/port';
import { encrypt } from '../../storage/encryption/encrypt';
import type { KeyRing } from '../../storage/encryption/key-ring';
import type { BrokerStore } from './broker-store';
import { Measure } from '../measured';
import { copyKey } from './copy-keys';
import { StoreWalker, type StoreCounts } from './store-structure';

export interface CopyPorts {
  readonly store: BrokerStore;
  readonly storage: ObjectStorage;
  readonly keyRing: KeyRing;
}

export interface CopyOptions {
  /** Ends the copy; nothing is stored then. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (bytes: number) => void;
}

/** A stored copy, as it is known where it was made; JSON-safe. It counts for nothing until it is proven. */
export interface StoreCopy {
  readonly broker: string;
  /** Of the encrypted object in storage, which is also what it is bound to (its encryption's context). */
  readonly key: string;
  readonly keyId: string;
  /** The store's own length; the object is a little longer. */
  readonly bytes: number;
  readonly storedBytes: number;
  /** Of the object, hexadecimal. */
  readonly storedSha256: string;
  /** Of the store, hexadecimal. */
  readonly sha256: string;
  /** When the broker wrote it, ms since the epoch: what came later is not in it. */
  readonly savedAtMs: number;
  readonly counts: StoreCounts;
  readonly seconds: { readonly save: number; readonly copy: number };
}

/**
 * Makes the broker save, and puts a copy of its store into storage: read, hashed, walked through and encrypted in one
 * pass, so that plain bytes never touch a disk. The same function runs beside a broker of this machine and in the agent
 * of one elsewhere.
 *
 * @throws {StoreFault} when the store is not whole; nothing is stored then.
 * @throws {DermsError} `BROKER_STORE_UNAVAILABLE`, or what the storage throws.
 */
export async function copyStore(
  { store, storage, keyRing }: CopyPorts,
  runId: string,
  { signal, onProgress }: CopyOptions = {},
): Promise<StoreCopy> {
  const began = performance.now();
  const withSignal = signal === undefined ? {} : { signal };
  const saved = await store.save(withSignal);
  const savedBy = performance.now();
  const key = copyKey(store.name, saved.savedAtMs, runId);
  const judge = judged(store.read(withSignal), onProgress);
  const object = new Measure();
  await storage.put(key, object.of(encrypt(judge.content, keyRing, key)), withSignal);
  const { bytes: storedBytes, sha256: storedSha256 } = object.end();
  return {
    broker: store.name,
    key,
    keyId: keyRing.currentKeyId,
    ...{ storedBytes, storedSha256 },
    savedAtMs: saved.savedAtMs,
    ...judge.verdict(),
    seconds: { save: secondsBetween(began, savedBy), copy: secondsBetween(savedBy, performance.now()) },
  };
}

/** Passes the store on and throws at its end, or before, when it is not whole. */
function judged(store: AsyncIterable<Uint8Array>, onProgress?: (bytes: number) => void) {
  const walker = new StoreWalker();
  const hash = createHash('sha256');
  let verdict: Pick<StoreCopy, 'bytes' | 'sha256' | 'counts'> | null = null;
  async function* pass(): AsyncGenerator<Uint8Array> {
    let bytes = 0;
    for await (const piece of store) {
      walker.push(piece);
      hash.update(piece);
      bytes += piece.byteLength;
      onProgress?.(bytes);
      yield piece;
    }
    const { counts } = walker.end();
    verdict = { bytes, sha256: hash.digest('hex'), counts };
  }
  return {
    content: pass(),
    verdict: (): Pick<StoreCopy, 'bytes' | 'sha256' | 'counts'> => {
      if (verdict === null) throw new Error('the storage has kept an object before it had all of it');
      return verdict;
    },
  };
}

const secondsBetween = (from: number, to: number): number => Math.round(to - from) / 1000;
