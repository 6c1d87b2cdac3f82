import { encrypt } from '../storage/encryption/encrypt';
import { OF_ANY_AGE } from '../storage/port';
import type { Tool } from '../servers/tool';
import { Measure, type Measured } from './measured';
import { bareEnvironment } from './postgres/programs';
import { streamProgram } from './run-program';
import type { SilenceLimit } from './silence';
import type { BackupVault } from './vault';

export interface StoreObjectPorts extends BackupVault {
  readonly zstd: Tool;
  /** Ends zstd when it hangs. */
  readonly silence: SilenceLimit;
}

export interface StoreObjectOrder {
  readonly key: string;
  readonly signal: AbortSignal;
  /** What a backup consists of, as its program writes it. It ends well only when that program has. */
  readonly plain: (until: AbortSignal) => AsyncIterable<Uint8Array>;
  /** Bytes of `plain` so far. */
  readonly onBytes: (bytes: number) => void;
}

/** What was measured on the way; JSON-safe. */
export interface StoredContent {
  readonly object: Measured & { readonly key: string; readonly keyId: string };
  readonly compressed: Measured;
  readonly plain: Measured;
}

/**
 * Through zstd and encryption into storage, in one pass: no plain byte touches a disk, and what fails on the way leaves
 * no object. No manifest makes it a backup yet. Parts that an attempt of before left, whose worker was killed, go first.
 */
export async function storeObject(
  { storage, keyRing, zstd, silence }: StoreObjectPorts,
  { key, signal, plain, onBytes }: StoreObjectOrder,
): Promise<StoredContent> {
  await storage.sweepParts(OF_ANY_AGE, key);
  const content = new Measure();
  const compressed = new Measure();
  const object = new Measure();
  const packed = streamProgram({
    program: zstd.path,
    args: ['-1', '-q', '-c'],
    env: bareEnvironment(zstd),
    input: (until) => content.of(plain(until), onBytes),
    silence,
    signal,
  });
  const stored = await storage.put(key, object.of(encrypt(compressed.of(packed), keyRing, key)), { signal });
  const measured = object.end();
  if (stored.bytes !== measured.bytes)
    throw new Error(`${key}: ${String(stored.bytes)} bytes are stored of ${String(measured.bytes)}`);
  return {
    object: { key, ...measured, keyId: keyRing.currentKeyId },
    compressed: compressed.end(),
    plain: content.end(),
  };
}
