import { DermsError } from '../domain/errors';
import { DecryptionError } from '../storage/encryption/decryption-error';
import type { KeyRing } from '../storage/encryption/key-ring';
import { StorageError } from '../storage/storage-error';
import { checkSignature } from './manifest';
import type { BackupManifest } from './manifest-schema';
import type { Measured } from './measured';
import { ProgramError } from './run-program';

/** What was seen of a stored backup; JSON-safe. */
export interface BackupVerdict {
  readonly verdict: 'passed' | 'failed';
  /** What is wrong with it, each in a sentence; empty when it passed. */
  readonly faults: readonly string[];
  readonly seconds: Readonly<Record<string, number>>;
}

export const verdictOf = (faults: readonly string[]): BackupVerdict['verdict'] =>
  faults.length === 0 ? 'passed' : 'failed';

/**
 * The fault that an error tells of: what was read was not what it should be.
 *
 * @throws the error itself when it only kept the backup from being looked at (storage that does not answer, a program
 * that was killed): that is no verdict.
 */
export function faultOf(error: unknown): string {
  const isVerdict =
    error instanceof DecryptionError ||
    (error instanceof ProgramError && error.exitSignal === null) ||
    (error instanceof StorageError && (error.reason === 'missing' || error.reason === 'damaged')) ||
    (error instanceof DermsError && error.code === 'BACKUP_UNREADABLE');
  if (isVerdict) return error.message;
  throw error;
}

export function signatureFaults(keyRing: KeyRing, manifest: BackupManifest): string[] {
  const check = checkSignature(keyRing, manifest);
  if (check === 'valid') return [];
  return [`the signature of the manifest is ${check === 'invalid' ? 'false' : 'of an unknown key'}`];
}

export function measuredFaults(what: string, { bytes, sha256 }: Measured, expected: Measured): string[] {
  if (bytes !== expected.bytes) return [`${what} has ${String(bytes)} bytes instead of ${String(expected.bytes)}`];
  return sha256 === expected.sha256 ? [] : [`${what} has another sha256 than the manifest says`];
}

/** Notes how long a step takes, s, also when it fails. */
export async function timed<Step extends string, T>(
  seconds: Record<Step, number>,
  step: Step,
  work: () => Promise<T>,
): Promise<T> {
  const began = performance.now();
  try {
    return await work();
  } finally {
    seconds[step] = Math.round(performance.now() - began) / 1000;
  }
}
