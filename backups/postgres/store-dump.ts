import type { DumpManifest } from '../manifest-schema';
import { streamProgram } from '../run-program';
import { storeObject } from '../store-object';
import type { BackupVault } from '../vault';
import { silenceOf, type BackupPrograms } from './programs';
import { applicationNameOf, postgresProgram, type PostgresAccess } from './server';
import type { Snapshot } from './snapshot';
import { serverWorksFor } from './works-for';

export interface StoreDumpPorts extends BackupVault {
  readonly programs: BackupPrograms;
  readonly access: PostgresAccess;
}

export interface StoreDumpOrder {
  readonly key: string;
  readonly runId: string;
  readonly signal: AbortSignal;
  readonly snapshot: Snapshot;
  readonly onBytes: (bytes: number) => void;
}

export interface StoredDump {
  readonly content: Pick<DumpManifest, 'object' | 'dump' | 'compressed'>;
  readonly seconds: number;
}

/** pg_dump waits this long for a table that somebody alters, then fails: its own lock would hold up everybody else. */
const LOCK_WAIT = '60s';

/** What pg_dump writes of one snapshot, into storage as `storeObject` does it. */
export async function storeDump(
  ports: StoreDumpPorts,
  { key, runId, signal, snapshot, onBytes }: StoreDumpOrder,
): Promise<StoredDump> {
  const clock = performance.now();
  const { plain: dump, ...content } = await storeObject(
    { ...ports, zstd: ports.programs.zstd, silence: silenceOf(ports.programs) },
    { key, signal, onBytes, plain: (until) => dumpStream(ports, runId, snapshot, until) },
  );
  return { content: { ...content, dump }, seconds: Math.round(performance.now() - clock) / 1000 };
}

const dumpStream = (
  { programs, access }: StoreDumpPorts,
  runId: string,
  { snapshotId, backendPid }: Snapshot,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> =>
  streamProgram({
    ...postgresProgram(programs.postgres, 'pg_dump', access, applicationNameOf(runId)),
    args: ['-Fc', '-Z0', `--snapshot=${snapshotId}`, `--lock-wait-timeout=${LOCK_WAIT}`, '--no-password'],
    silence: silenceOf(programs, () => serverWorksFor(access, applicationNameOf(runId), backendPid)),
    signal,
  });
