import { DermsError } from '../domain/errors';
import type { KeyRing, SignatureCheck } from '../storage/encryption/key-ring';
import type { ObjectStorage } from '../storage/port';
import { canonicalJson } from './canonical-json';
import { manifestSchema, type BackupManifest, type Unsigned } from './manifest-schema';

const SUFFIX = '.manifest.json';
/** Some 100,000 tables: beyond it is no manifest of ours. */
const MOST_BYTES = 32 * 1024 ** 2;

export const manifestKeyOf = (objectKey: string): string => `${objectKey}${SUFFIX}`;
export const isManifestKey = (key: string): boolean => key.endsWith(SUFFIX);
export const objectKeyOf = (manifestKey: string): string => manifestKey.slice(0, -SUFFIX.length);

/** Signed by the current key of the ring, so that who may write to storage cannot make up a backup. */
export const signManifest = <Manifest extends BackupManifest>(
  keyRing: KeyRing,
  manifest: Unsigned<Manifest>,
): Manifest => ({ ...manifest, signature: keyRing.sign(signedBytes(manifest)) }) as Manifest; // what was left out is added

export function checkSignature(keyRing: KeyRing, { signature, ...manifest }: BackupManifest): SignatureCheck {
  return keyRing.verify(signedBytes(manifest), signature);
}

/** Puts it beside its object. An object without manifest is no backup: this is what makes one. */
export async function writeManifest(
  storage: ObjectStorage,
  manifest: BackupManifest,
  options: { readonly signal?: AbortSignal } = {},
): Promise<string> {
  const key = manifestKeyOf(manifest.object.key);
  await storage.put(key, once(Buffer.from(`${JSON.stringify(manifest, undefined, 2)}\n`)), options);
  return key;
}

/**
 * Reads what lies beside an object. Its signature is the caller's to check.
 *
 * @throws {DermsError} `BACKUP_UNREADABLE` when it is no manifest, or of another object; what the storage throws
 * (`StorageError`, `missing`) when there is none.
 */
export async function readManifest(
  storage: ObjectStorage,
  objectKey: string,
  options: { readonly signal?: AbortSignal } = {},
): Promise<BackupManifest> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of await storage.get(manifestKeyOf(objectKey), options)) {
    bytes += chunk.byteLength;
    if (bytes > MOST_BYTES) throw unreadable(objectKey, 'it is far too long');
    chunks.push(chunk);
  }
  const manifest = parseManifest(objectKey, Buffer.concat(chunks).toString('utf8'));
  if (manifest.object.key !== objectKey) throw unreadable(objectKey, `it is of ${manifest.object.key}`);
  return manifest;
}

/**
 * The same, from a holder of the key ring.
 *
 * @throws {DermsError} `BACKUP_UNREADABLE` also when none of them has signed it.
 */
export async function readSignedManifest(
  { storage, keyRing }: { readonly storage: ObjectStorage; readonly keyRing: KeyRing },
  objectKey: string,
  options: { readonly signal?: AbortSignal } = {},
): Promise<BackupManifest> {
  const manifest = await readManifest(storage, objectKey, options);
  const check = checkSignature(keyRing, manifest);
  if (check === 'valid') return manifest;
  throw new DermsError('BACKUP_UNREADABLE', `the manifest of ${objectKey} ${signatureInWords(check)}`);
}

/** Follows "the manifest". */
export const signatureInWords = (check: Exclude<SignatureCheck, 'valid'>): string =>
  check === 'invalid' ? 'was not written by a holder of its key' : 'is signed with a key that is not in the ring';

function parseManifest(objectKey: string, text: string): BackupManifest {
  const parsed = manifestSchema.safeParse(jsonIn(text));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw unreadable(objectKey, issue === undefined ? 'it is none' : `${issue.path.join('.')}: ${issue.message}`);
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const unreadable = (objectKey: string, why: string): DermsError =>
  new DermsError('BACKUP_UNREADABLE', `the manifest of ${objectKey} cannot be read: ${why}`);

/** The prefix keeps a signature from ever fitting anything else that the ring signs. */
const signedBytes = (manifest: object): Buffer => Buffer.from(`derms backup manifest v1\n${canonicalJson(manifest)}`);

// eslint-disable-next-line @typescript-eslint/require-await -- the storage takes what streams
async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
