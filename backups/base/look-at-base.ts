import type { BaseManifest } from '../manifest-schema';
import { faultOf, measuredFaults, timed, type BackupVerdict } from '../verdict';
import { unpackBase, verifyCluster, withUnpackFolder, type UnpackPorts } from './unpack-base';
import { readUnpacked, type UnpackedFacts } from './unpacked';

export interface LookPorts extends UnpackPorts {
  /** Where it is unpacked, which takes the size of the cluster. */
  readonly scratchParent: string;
}

export interface LookOrder {
  readonly signal: AbortSignal;
  /** Stored bytes read so far. */
  readonly onProgress?: (bytes: number) => void;
}

export interface SeenBase extends Omit<BackupVerdict, 'verdict'> {
  /** null when it could not be unpacked. */
  readonly unpacked: UnpackedFacts | null;
  readonly seconds: { readonly unpack: number; readonly pg_verifybackup: number };
}

/**
 * Fetches a base backup back from storage, unpacks it into a folder of its own, and has pg_verifybackup look at every
 * file and at its log. Nothing stays on disk.
 *
 * @throws what keeps it from being looked at: that is no verdict.
 */
export function lookAtBase(
  ports: LookPorts,
  expected: Pick<BaseManifest, 'object' | 'compressed' | 'archive' | 'segmentBytes'> & {
    readonly systemIdentifier: string;
  },
  { signal, onProgress }: LookOrder,
): Promise<SeenBase> {
  return withUnpackFolder(ports.scratchParent, async (folder) => {
    const seconds = { unpack: 0, pg_verifybackup: 0 };
    const faults: string[] = [];
    let unpacked: UnpackedFacts | null = null;
    try {
      const { key } = expected.object;
      const measured = await timed(seconds, 'unpack', () => unpackBase(ports, { key, folder, signal, onProgress }));
      faults.push(
        ...measuredFaults('the stored object', measured.object, expected.object),
        ...measuredFaults('what zstd made', measured.compressed, expected.compressed),
        ...measuredFaults('the archive', measured.archive, expected.archive),
      );
      await timed(seconds, 'pg_verifybackup', () => verifyCluster(ports.programs, folder, signal));
      unpacked = readUnpacked(folder, expected.segmentBytes);
      if (unpacked.systemIdentifier !== expected.systemIdentifier)
        faults.push(`it is of cluster ${unpacked.systemIdentifier}, not of ${expected.systemIdentifier}`);
    } catch (error) {
      signal.throwIfAborted();
      faults.push(faultOf(error));
    }
    return { faults, unpacked, seconds };
  });
}
