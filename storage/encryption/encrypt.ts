import { createCipheriv, randomBytes } from 'node:crypto';
import { CIPHER, FRAME_BYTES, frameNonce, NONCE_BYTES, writeFrameHead } from './format';
import { writeHeader } from './header';
import { deriveKey, KEY_BYTES, type KeyRing } from './key-ring';
import { createPieces } from './pieces';

/**
 * The source as an encrypted object, while it streams: at most a frame (1 MiB) is held. AES-256-GCM under a data key of
 * its own, wrapped by the current key of the ring.
 *
 * `context` says what the object is (its key in the store): it can only be read again with the same one.
 */
export function encrypt(source: AsyncIterable<Uint8Array>, keyRing: KeyRing, context: string): AsyncIterable<Buffer> {
  return encryptWith(source, keyRing, context, {
    dataKey: randomBytes(KEY_BYTES),
    nonce: randomBytes(NONCE_BYTES),
    frameBytes: FRAME_BYTES,
  });
}

/** What is drawn for each object; given only by tests and by whoever writes test vectors. */
export interface ObjectSecrets {
  readonly dataKey: Buffer;
  readonly nonce: Buffer;
  readonly frameBytes: number;
}

export async function* encryptWith(
  source: AsyncIterable<Uint8Array>,
  keyRing: KeyRing,
  context: string,
  { dataKey, nonce, frameBytes }: ObjectSecrets,
): AsyncGenerator<Buffer> {
  yield writeHeader(keyRing, context, { dataKey, frameBytes }, nonce);
  const key = deriveKey(dataKey, 'frames');
  let index = 0n;
  const frame = createPieces();
  let room = frameBytes;
  for await (const chunk of source) {
    for (let rest = chunk; rest.byteLength > 0;) {
      if (room === 0) {
        // Only now is it known that this frame is not the last one.
        for (const sealed of seal(frame.take(), { index, last: false, bytes: frameBytes }, key)) yield sealed;
        index += 1n;
        room = frameBytes;
      }
      const piece = rest.subarray(0, room);
      frame.add(piece);
      room -= piece.byteLength;
      rest = rest.subarray(piece.byteLength);
    }
  }
  for (const sealed of seal(frame.take(), { index, last: true, bytes: frameBytes - room }, key)) yield sealed;
}

function* seal(
  pieces: readonly Uint8Array[],
  head: { readonly index: bigint; readonly last: boolean; readonly bytes: number },
  key: Buffer,
): Generator<Buffer> {
  const authenticated = writeFrameHead(head);
  const cipher = createCipheriv(CIPHER, key, frameNonce(head.index)).setAAD(authenticated);
  yield authenticated;
  for (const piece of pieces) yield cipher.update(piece);
  cipher.final();
  yield cipher.getAuthTag();
}
