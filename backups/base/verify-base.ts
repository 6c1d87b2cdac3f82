import { readManifest } from '../manifest';
import type { BaseManifest } from '../manifest-schema';
import { faultOf, signatureFaults, verdictOf, type BackupVerdict } from '../verdict';
import { DermsError } from '../../domain/errors';
import { lookAtBase, type LookOrder, type LookPorts } from './look-at-base';
import type { BasePrograms } from './programs';
import type { UnpackedFacts } from './unpacked';

export interface BaseVerdict extends BackupVerdict {
  readonly manifest: BaseManifest | null;
}

/**
 * Shows that a stored base backup is still whole: signature of the manifest, then everything that its proof was, and that
 * it begins and ends in the log where its manifest says.
 *
 * @param programsFor those of the version that the cluster had, which its manifest says.
 * @throws what keeps it from being looked at (storage that does not answer, cancellation, a full disk): that is no verdict.
 */
export async function verifyBase(
  ports: Omit<LookPorts, 'programs'>,
  programsFor: (major: number) => Promise<BasePrograms>,
  key: string,
  order: LookOrder,
): Promise<BaseVerdict> {
  const { signal } = order;
  let manifest: BaseManifest;
  try {
    manifest = await readBaseManifest(ports, key, signal);
  } catch (error) {
    signal.throwIfAborted();
    return { verdict: 'failed', faults: [faultOf(error)], manifest: null, seconds: {} };
  }
  const { systemIdentifier, version } = manifest.server;
  const programs = await programsFor(Number.parseInt(version, 10));
  const { faults, unpacked, seconds } = await lookAtBase(
    { ...ports, programs },
    { ...manifest, systemIdentifier },
    order,
  );
  const all = [...signatureFaults(ports.keyRing, manifest), ...faults, ...placeFaults(manifest, unpacked)];
  return { verdict: verdictOf(all), faults: all, manifest, seconds };
}

/** @throws {DermsError} `BACKUP_UNREADABLE` for what is no base backup, {StorageError} when there is none. */
export async function readBaseManifest(
  { storage }: Pick<LookPorts, 'storage'>,
  key: string,
  signal: AbortSignal,
): Promise<BaseManifest> {
  const manifest = await readManifest(storage, key, { signal });
  if (manifest.kind === 'base') return manifest;
  throw new DermsError('BACKUP_UNREADABLE', `${key} is a ${manifest.kind}, not a base backup`);
}

function placeFaults({ startLsn, stopLsn, server }: BaseManifest, unpacked: UnpackedFacts | null): string[] {
  if (unpacked === null) return [];
  const said = `${startLsn} to ${stopLsn} on timeline ${String(server.timeline)}`;
  const found = `${unpacked.startLsn} to ${unpacked.stopLsn} on timeline ${String(unpacked.timeline)}`;
  return said === found ? [] : [`it needs the log from ${found}, its manifest says ${said}`];
}
