import { Readable } from 'node:stream';
import { DermsError } from '../../domain/errors';
import type { KeyRing, Signature } from '../../storage/encryption/key-ring';
import type { ObjectStorage } from '../../storage/port';
import { manifestKey } from './copy-keys';
import type { StoreCopy } from './copy-store';
import type { CopyProof } from './prove-copy';

/** What lies beside a copy once it is proven: what it is, where it came from, what was seen. Holds no message and no name. */
export interface CopyManifest {
  readonly format: 1;
  readonly kind: 'mqtt';
  readonly runId: string;
  readonly workflowId: string;
  readonly copy: StoreCopy;
  readonly proof: CopyProof;
  /** ISO 8601, UTC. */
  readonly provenAt: string;
}

/** Makes a copy count: a copy without manifest is not a backup. Signed, so that who may write to storage cannot make one. */
export async function writeManifest(storage: ObjectStorage, keyRing: KeyRing, manifest: CopyManifest): Promise<string> {
  const key = manifestKey(manifest.copy.key);
  const signature: Signature = keyRing.sign(Buffer.from(JSON.stringify(manifest)));
  const text = `${JSON.stringify({ ...manifest, signature }, null, 2)}\n`;
  await storage.put(key, Readable.from([Buffer.from(text)]));
  return key;
}

/**
 * Reads the manifest of a copy and checks that a holder of the key ring wrote it, for this very copy.
 *
 * @throws {DermsError} `BACKUP_UNREADABLE` when that is not so; what the storage throws when there is none.
 */
export async function readManifest(storage: ObjectStorage, keyRing: KeyRing, copyKey: string): Promise<CopyManifest> {
  const key = manifestKey(copyKey);
  const pieces: Uint8Array[] = [];
  for await (const piece of await storage.get(key)) pieces.push(piece);
  const { signature, ...manifest } = parse(key, Buffer.concat(pieces).toString('utf8'));
  const check = keyRing.verify(Buffer.from(JSON.stringify(manifest)), signature);
  if (check !== 'valid' || manifest.copy.key !== copyKey) {
    throw new DermsError('BACKUP_UNREADABLE', `${key} is not to be trusted: its signature is ${check} for this copy`);
  }
  return manifest;
}

function parse(key: string, text: string): CopyManifest & { readonly signature: Signature } {
  try {
    // What it says counts only once its signature is found valid.
    return JSON.parse(text) as CopyManifest & { readonly signature: Signature };
  } catch (cause) {
    throw new DermsError('BACKUP_UNREADABLE', `${key} is no manifest`, { cause });
  }
}
