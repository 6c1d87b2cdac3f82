import { createCipheriv, createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto';
import type { ByteReader } from './byte-reader';
import { DecryptionError } from './decryption-error';
import { CIPHER, LARGEST_FRAME_BYTES, MAGIC, NONCE_BYTES, TAG_BYTES, VERSION } from './format';
import { deriveKey, FINGERPRINT_BYTES, isKeyId, KEY_BYTES, type KeyRing } from './key-ring';

/** What a reader of the frames needs. */
export interface OpenedHeader {
  readonly dataKey: Buffer;
  readonly frameBytes: number;
}

const FIXED_BYTES = MAGIC.length + 2;
const MAC_BYTES = 32;
const WRAPPED_BYTES = NONCE_BYTES + KEY_BYTES + TAG_BYTES;

/**
 * The header of one object. `dataKey` is wrapped by the current key of the ring; the HMAC, by a key derived from the data
 * key, covers the whole header and binds the object to `context`.
 */
export function writeHeader(
  keyRing: KeyRing,
  context: string,
  { dataKey, frameBytes }: OpenedHeader,
  nonce: Buffer,
): Buffer {
  const keyId = keyRing.currentKeyId;
  const wrappingKey = keyRing.wrappingKey(keyId);
  const fingerprint = keyRing.fingerprint(keyId);
  if (wrappingKey === undefined || fingerprint === undefined) throw new Error(`the key ring has no key ${keyId}`);
  const size = Buffer.alloc(4);
  size.writeUInt32BE(frameBytes);
  const open = Buffer.concat([MAGIC, Buffer.from([VERSION, keyId.length]), Buffer.from(keyId), fingerprint, size]);
  const cipher = createCipheriv(CIPHER, wrappingKey, nonce).setAAD(open);
  const wrapped = Buffer.concat([cipher.update(dataKey), cipher.final(), cipher.getAuthTag()]);
  const head = Buffer.concat([open, nonce, wrapped]);
  return Buffer.concat([head, macOf(head, context, dataKey)]);
}

/**
 * Reads the header of an object and unwraps its data key.
 *
 * @throws {DecryptionError} with what is wrong with it.
 */
export async function readHeader(reader: ByteReader, keyRing: KeyRing, context: string): Promise<OpenedHeader> {
  const fixed = await reader.read(FIXED_BYTES);
  if (fixed === null || !fixed.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new DecryptionError('not-encrypted', 'this is no object that we encrypted: its first bytes are not ours');
  }
  const version = fixed.readUInt8(MAGIC.length);
  if (version !== VERSION) {
    throw new DecryptionError(
      'unknown-version',
      `the object has format ${String(version)}, we read ${String(VERSION)}`,
    );
  }
  const keyIdBytes = fixed.readUInt8(MAGIC.length + 1);
  const rest = await reader.read(keyIdBytes + FINGERPRINT_BYTES + 4 + WRAPPED_BYTES + MAC_BYTES);
  if (rest === null) throw new DecryptionError('cut', 'the object ends within its header');
  const head = Buffer.concat([fixed, rest.subarray(0, -MAC_BYTES)]);
  const dataKey = unwrap(head, keyIdBytes, keyRing);
  const frameBytes = head.readUInt32BE(FIXED_BYTES + keyIdBytes + FINGERPRINT_BYTES);
  if (frameBytes === 0 || frameBytes > LARGEST_FRAME_BYTES) throw altered();
  // The wrap already proved everything but the context.
  if (!timingSafeEqual(macOf(head, context, dataKey), rest.subarray(-MAC_BYTES))) {
    throw new DecryptionError('other-context', `the object was not stored as ${JSON.stringify(context)}`);
  }
  return { dataKey, frameBytes };
}

function unwrap(head: Buffer, keyIdBytes: number, keyRing: KeyRing): Buffer {
  const afterKeyId = FIXED_BYTES + keyIdBytes;
  const keyId = head.toString('latin1', FIXED_BYTES, afterKeyId);
  if (!isKeyId(keyId)) throw altered();
  const wrappingKey = keyRing.wrappingKey(keyId);
  if (wrappingKey === undefined) {
    const known = keyRing.keyIds.join(', ');
    throw new DecryptionError('unknown-key', `the object needs key ${keyId}; the key ring has ${known}`);
  }
  const fingerprint = head.subarray(afterKeyId, afterKeyId + FINGERPRINT_BYTES);
  if (keyRing.fingerprint(keyId)?.equals(fingerprint) !== true) {
    throw new DecryptionError(
      'wrong-key',
      `key ${keyId} of the ring is another key than the one of that id in the object`,
    );
  }
  const open = head.subarray(0, -WRAPPED_BYTES);
  const nonce = head.subarray(open.length, open.length + NONCE_BYTES);
  const wrapped = head.subarray(open.length + NONCE_BYTES, -TAG_BYTES);
  const decipher = createDecipheriv(CIPHER, wrappingKey, nonce, { authTagLength: TAG_BYTES })
    .setAAD(open)
    .setAuthTag(head.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(wrapped), decipher.final()]);
  } catch (cause) {
    throw new DecryptionError('header-altered', 'the header was altered after it was written', { cause });
  }
}

/** The length of the context comes first, so that no two pairs of header and context look alike. */
function macOf(head: Buffer, context: string, dataKey: Buffer): Buffer {
  const text = Buffer.from(context, 'utf8');
  const length = Buffer.alloc(4);
  length.writeUInt32BE(text.length);
  return createHmac('sha256', deriveKey(dataKey, 'header')).update(length).update(text).update(head).digest();
}

const altered = (): DecryptionError =>
  new DecryptionError('header-altered', 'the header was altered after it was written');
