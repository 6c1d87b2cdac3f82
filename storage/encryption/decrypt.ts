import { createDecipheriv } from 'node:crypto';
import { readerOf, type ByteReader } from './byte-reader';
import { DecryptionError } from './decryption-error';
import {
  CIPHER,
  FRAME_HEAD_BYTES,
  frameNonce,
  readFrameHead,
  TAG_BYTES,
  writeFrameHead,
  type FrameHead,
} from './format';
import { readHeader } from './header';
import { deriveKey, type KeyRing } from './key-ring';

/**
 * The plaintext of an encrypted object, while it streams. A frame's plaintext is passed on only after its tag was
 * checked; that all of it came is known only when the iteration ends without throwing.
 *
 * @throws {DecryptionError} while iterated, as soon as something is not what was written.
 */
export async function* decrypt(
  source: AsyncIterable<Uint8Array>,
  keyRing: KeyRing,
  context: string,
): AsyncGenerator<Buffer> {
  const reader = readerOf(source);
  try {
    const { dataKey, frameBytes } = await readHeader(reader, keyRing, context);
    const key = deriveKey(dataKey, 'frames');
    for (let index = 0n; ; index += 1n) {
      const head = await readHead(reader, index, frameBytes);
      for (const piece of await openFrame(reader, head, key)) yield piece;
      if (head.last) break;
    }
    if (!(await reader.isAtEnd())) throw new DecryptionError('appended', 'there are bytes after the last frame');
  } finally {
    await reader.close();
  }
}

async function readHead(reader: ByteReader, index: bigint, frameBytes: number): Promise<FrameHead> {
  const bytes = await reader.read(FRAME_HEAD_BYTES);
  if (bytes === null) throw new DecryptionError('cut', `the object ends before frame ${String(index)}`);
  const head = readFrameHead(bytes);
  if (head === undefined) throw alteredFrame(index);
  if (head.index !== index) {
    throw new DecryptionError(
      'frame-out-of-place',
      `frame ${String(head.index)} is where frame ${String(index)} should be`,
    );
  }
  const lengthFits = head.last ? head.bytes <= frameBytes : head.bytes === frameBytes;
  if (!lengthFits) throw alteredFrame(index);
  return head;
}

async function openFrame(reader: ByteReader, head: FrameHead, key: Buffer): Promise<readonly Buffer[]> {
  const pieces = await reader.readPieces(head.bytes);
  const tag = await reader.read(TAG_BYTES);
  if (pieces === null || tag === null)
    throw new DecryptionError('cut', `the object ends within frame ${String(head.index)}`);
  const decipher = createDecipheriv(CIPHER, key, frameNonce(head.index), { authTagLength: TAG_BYTES })
    .setAAD(writeFrameHead(head))
    .setAuthTag(tag);
  const plain = pieces.map((piece) => decipher.update(piece));
  try {
    decipher.final();
  } catch (cause) {
    throw alteredFrame(head.index, cause);
  }
  return plain;
}

const alteredFrame = (index: bigint, cause?: unknown): DecryptionError =>
  new DecryptionError('frame-altered', `frame ${String(index)} was altered after it was written`, { cause });
