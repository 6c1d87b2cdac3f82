/**
 * Layout of an encrypted object; docs/storage.md has it for readers in other languages. Numbers are big-endian.
 *
 *   header: magic 8 · version 1 · length of key id 1 · key id · fingerprint 8 · frame size 4 ·
 *           nonce 12 · wrapped data key 32 · tag 16 · HMAC-SHA256 32
 *   frame:  index 8 · flags 1 (1 = last) · length 4 · ciphertext · tag 16
 */
export const MAGIC = Buffer.from('DERMSENC', 'ascii');
export const VERSION = 1;
export const NONCE_BYTES = 12;
export const TAG_BYTES = 16;
export const FRAME_HEAD_BYTES = 13;
export const FRAME_BYTES = 1024 ** 2;
/** A reader makes room for one frame at a time. */
export const LARGEST_FRAME_BYTES = 16 * 1024 ** 2;
export const CIPHER = 'aes-256-gcm';

const LAST = 1;

export interface FrameHead {
  readonly index: bigint;
  readonly last: boolean;
  /** Of the ciphertext, which is as long as the plaintext. */
  readonly bytes: number;
}

/** The head is also what the frame's tag authenticates besides its content. */
export function writeFrameHead({ index, last, bytes }: FrameHead): Buffer {
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  head.writeBigUInt64BE(index, 0);
  head.writeUInt8(last ? LAST : 0, 8);
  head.writeUInt32BE(bytes, 9);
  return head;
}

/** Undefined when the flags are none that we write. */
export function readFrameHead(head: Buffer): FrameHead | undefined {
  const flags = head.readUInt8(8);
  if (flags > LAST) return undefined;
  return { index: head.readBigUInt64BE(0), last: flags === LAST, bytes: head.readUInt32BE(9) };
}

/** Each frame of an object has its own; the key is never used for another object. */
export function frameNonce(index: bigint): Buffer {
  const nonce = Buffer.alloc(NONCE_BYTES);
  nonce.writeBigUInt64BE(index, NONCE_BYTES - 8);
  return nonce;
}
