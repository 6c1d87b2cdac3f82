import { encrypt } from '../../storage/encryption/encrypt';
import type { DumpManifest } from '../manifest-schema';
import { Measure, type Measured } from '../measured';
import { streamProgram } from '../run-program';
import type { BackupVault } from '../vault';
import { bareEnvironment, silenceOf, type BackupPrograms } from './programs';
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

/** What pg_dump writes of one snapshot, through zstd and encryption into storage; no manifest makes it a backup yet. */
export async function storeDump(
  ports: StoreDumpPorts,
  { key, runId, signal, snapshot, onBytes }: StoreDumpOrder,
): Promise<StoredDump> {
  const clock = performance.now();
  const dump = new Measure();
  const compressed = new Measure();
  const object = new Measure();
  const plain = (until: AbortSignal): AsyncIterable<Uint8Array> =>
    dump.of(dumpStream(ports, runId, snapshot, until), onBytes);
  const packed = streamProgram({
    program: ports.programs.zstd.path,
    args: ['-1', '-q', '-c'],
    env: bareEnvironment(ports.programs.zstd),
    input: plain,
    silence: silenceOf(ports.programs),
    signal,
  });
  const stored = await ports.storage.put(key, object.of(encrypt(compressed.of(packed), ports.keyRing, key)), {
    signal,
  });
  const measured: Measured = object.end();
  if (stored.bytes !== measured.bytes)
    throw new Error(`${key}: ${String(stored.bytes)} bytes are stored of ${String(measured.bytes)}`);
  return {
    content: {
      object: { key, ...measured, keyId: ports.keyRing.currentKeyId },
      dump: dump.end(),
      compressed: compressed.end(),
    },
    seconds: secondsSince(clock),
  };
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

const secondsSince = (clock: number): number => Math.round(performance.now() - clock) / 1000;
