import { DecryptionError } from '../../storage/encryption/decryption-error';
import { newKeyEntry, parseKeyRing } from '../../storage/encryption/key-ring';
import { checkSignature } from '../manifest';
import { RestoreFailure } from './failure';
import { dumpOf, type RestoreDump } from './restore-dump';

/** A copy that must not be taken, and why it was not. */
export interface ControlOutcome {
  readonly control: 'cut copy' | 'flipped bit' | 'wrong key' | 'altered manifest';
  readonly refusedAs: string;
}

type Source = Omit<RestoreDump, 'target' | 'onProgress'>;

/**
 * Shows that what the drill believes in can fail: copies that are cut, altered in one bit, read with another key or told
 * of by an altered manifest are refused on the very way that restores. Reads the object up to its middle, twice.
 *
 * @throws {RestoreFailure} NEGATIVE_CONTROL_PASSED when one of them is taken.
 */
export async function runNegativeControls(source: Source): Promise<ControlOutcome[]> {
  const { object } = source.backup;
  const middle = Math.floor(object.bytes / 2);
  const otherKeys = parseKeyRing(newKeyEntry(object.keyId));
  return [
    await refuses('cut copy', { ...source, storage: reading(source.storage, (chunks) => cutAt(chunks, middle)) }),
    await refuses('flipped bit', { ...source, storage: reading(source.storage, (chunks) => flipAt(chunks, middle)) }),
    await refuses('wrong key', { ...source, keyRing: otherKeys }),
    refusesAlteredManifest(source),
  ];
}

async function refuses(control: ControlOutcome['control'], source: Source): Promise<ControlOutcome> {
  try {
    for await (const piece of dumpOf(source)) if (piece.byteLength < 0) break; // only that it can be read counts
  } catch (error) {
    if (error instanceof DecryptionError) return { control, refusedAs: error.reason };
    if (error instanceof RestoreFailure && error.code === 'BACKUP_ALTERED') return { control, refusedAs: 'checksum' };
    throw error; // the store went away: that proves nothing
  }
  throw new RestoreFailure('NEGATIVE_CONTROL_PASSED', `a copy of ${source.backup.object.key} was taken: ${control}`);
}

function refusesAlteredManifest({ backup, keyRing }: Source): ControlOutcome {
  const signature = checkSignature(keyRing, { ...backup, takenAt: new Date(0).toISOString() });
  if (signature !== 'valid') return { control: 'altered manifest', refusedAs: `signature ${signature}` };
  throw new RestoreFailure('NEGATIVE_CONTROL_PASSED', `an altered manifest of ${backup.object.key} was believed`);
}

const reading = (
  storage: Source['storage'],
  change: (chunks: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>,
): Source['storage'] => ({ get: async (key, options) => change(await storage.get(key, options)) });

async function* cutAt(chunks: AsyncIterable<Uint8Array>, bytes: number): AsyncGenerator<Uint8Array> {
  let left = bytes;
  for await (const chunk of chunks) {
    if (chunk.byteLength >= left) {
      yield chunk.subarray(0, left);
      return;
    }
    left -= chunk.byteLength;
    yield chunk;
  }
}

async function* flipAt(chunks: AsyncIterable<Uint8Array>, position: number): AsyncGenerator<Uint8Array> {
  let at = 0;
  for await (const chunk of chunks) {
    const inHere = position - at;
    at += chunk.byteLength;
    yield inHere >= 0 && inHere < chunk.byteLength ? withFlippedBit(chunk, inHere) : chunk;
  }
}

function withFlippedBit(chunk: Uint8Array, index: number): Uint8Array {
  const copy = Uint8Array.from(chunk);
  copy[index] = (copy[index] ?? 0) ^ 1;
  return copy;
}
