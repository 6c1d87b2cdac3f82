import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';
import { weaknessOf } from './weak-key';

/** Proof that a holder of the ring wrote some bytes; JSON-safe. */
export interface Signature {
  readonly algorithm: 'HMAC-SHA256';
  readonly keyId: string;
  /** Base64. */
  readonly value: string;
}

/** What came of checking a signature; `unknown-key`: the ring has no key of its key id, so nothing is known. */
export type SignatureCheck = 'valid' | 'invalid' | 'unknown-key';

/**
 * The keys of this installation: the first one writes, all of them read. A key of the ring encrypts nothing itself;
 * for each purpose another one is derived from it (HKDF-SHA256), so that no key ever serves two.
 */
export interface KeyRing {
  /** Id of the key for new objects and signatures. */
  readonly currentKeyId: string;
  readonly keyIds: readonly string[];
  /** Wraps the data keys of objects; undefined when the ring has no such key. */
  wrappingKey(keyId: string): Buffer | undefined;
  /** Eight bytes that tell the key apart from another one of the same id, and nothing else about it. */
  fingerprint(keyId: string): Buffer | undefined;
  signingKey(keyId: string): Buffer | undefined;
  /** Signs with the current key. */
  sign(bytes: Uint8Array): Signature;
  verify(bytes: Uint8Array, signature: Signature): SignatureCheck;
}

export const KEY_BYTES = 32;
export const FINGERPRINT_BYTES = 8;
const KEY_ID = /^[A-Za-z0-9._-]{1,64}$/;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/**
 * Reads `BACKUP_ENCRYPTION_KEYS`: entries `id:base64-of-32-bytes`, one a line or with commas between.
 *
 * @throws {Error} naming every fault by its place in the list; never a key.
 */
export function parseKeyRing(text: string): KeyRing {
  const entries = text
    .split(/[\n,]/)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
  const keys = new Map<string, Buffer>();
  const faults: string[] = [];
  for (const [index, entry] of entries.entries()) {
    const fault = readEntry(entry, keys);
    if (fault !== null) faults.push(`entry ${String(index + 1)}: ${fault}`);
  }
  const [first] = keys;
  if (entries.length === 0) faults.push('holds no key; `npm run derms -- backup-key` makes one');
  if (first === undefined || faults.length > 0) throw new Error(`BACKUP_ENCRYPTION_KEYS: ${faults.join('; ')}`);
  return keyRingOf(keys, first);
}

/** A new entry for the ring, from the system's randomness. */
export const newKeyEntry = (keyId: string): string => `${keyId}:${randomBytes(KEY_BYTES).toString('base64')}`;

export const isKeyId = (text: string): boolean => KEY_ID.test(text);

/** Adds the entry's key, or says what is wrong with it. */
function readEntry(entry: string, keys: Map<string, Buffer>): string | null {
  const colon = entry.indexOf(':');
  if (colon < 0) return 'is not written as id:base64';
  const keyId = entry.slice(0, colon);
  const encoded = entry.slice(colon + 1);
  if (!isKeyId(keyId)) return 'its id is not 1 to 64 of A-Z a-z 0-9 . _ -';
  const key = Buffer.from(encoded, 'base64');
  if (!BASE64.test(encoded) || key.toString('base64') !== encoded) return `${keyId}: is not base64`;
  if (key.length !== KEY_BYTES) return `${keyId}: has ${String(key.length)} bytes, not ${String(KEY_BYTES)}`;
  const weakness = weaknessOf(key);
  if (weakness !== null) return `${keyId}: is no random key, ${weakness}`;
  if (keys.has(keyId)) return `${keyId}: is given twice`;
  if ([...keys.values()].some((other) => other.equals(key))) return `${keyId}: is the same key as one before`;
  keys.set(keyId, key);
  return null;
}

function keyRingOf(keys: ReadonlyMap<string, Buffer>, [currentKeyId, currentKey]: [string, Buffer]): KeyRing {
  const derived = (keyId: string, purpose: string, length = KEY_BYTES): Buffer | undefined => {
    const key = keys.get(keyId);
    return key && deriveKey(key, purpose, length);
  };
  const signingKey = (keyId: string): Buffer | undefined => derived(keyId, 'sign');
  return {
    currentKeyId,
    keyIds: [...keys.keys()],
    wrappingKey: (keyId) => derived(keyId, 'wrap'),
    fingerprint: (keyId) => derived(keyId, 'fingerprint', FINGERPRINT_BYTES),
    signingKey,
    sign: (bytes) => ({
      algorithm: 'HMAC-SHA256',
      keyId: currentKeyId,
      value: hmac(deriveKey(currentKey, 'sign'), bytes).toString('base64'),
    }),
    verify(bytes, { keyId, value }) {
      const key = signingKey(keyId);
      if (key === undefined) return 'unknown-key';
      const given = Buffer.from(value, 'base64');
      const expected = hmac(key, bytes);
      return given.length === expected.length && timingSafeEqual(given, expected) ? 'valid' : 'invalid';
    },
  };
}

/** HKDF-SHA256 without salt; `purpose` is named with our own prefix. */
export const deriveKey = (key: Uint8Array, purpose: string, length = KEY_BYTES): Buffer =>
  Buffer.from(hkdfSync('sha256', key, '', `derms backup v1 ${purpose}`, length));

const hmac = (key: Buffer, bytes: Uint8Array): Buffer => createHmac('sha256', key).update(bytes).digest();
