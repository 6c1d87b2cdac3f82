import { encrypt } from '../../storage/encryption/encrypt';
import type { BackupVault } from '../vault';
import { backupIdOf } from '../backup-key';
import { checkSignature, manifestKeyOf, readManifest, signManifest, writeManifest } from '../manifest';
import type { DumpManifest, ManifestTable } from '../manifest-schema';
import { Measure, type Measured } from '../measured';
import { programText, streamProgram } from '../run-program';
import { hashTables } from './content-hash';
import { bareEnvironment, type BackupPrograms } from './programs';
import { applicationNameOf, postgresProgram, type PostgresAccess } from './server';
import { readServerFacts } from './server-facts';
import { withSnapshot, type Snapshot } from './snapshot';

export interface DumpPorts extends BackupVault {
  readonly programs: BackupPrograms;
  readonly access: PostgresAccess;
  readonly deployment: DumpManifest['deployment'];
}

export interface DumpOrder {
  readonly key: string;
  readonly runId: string;
  readonly workflowId: string;
  readonly signal: AbortSignal;
  /** Bytes of the dump so far, of about how many. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
}

/** pg_dump waits this long for a table that somebody alters, then fails: its own lock would hold up everybody else. */
const LOCK_WAIT = '60s';

/**
 * Dumps the database into storage: one snapshot, read by pg_dump and, at the same time, by the content hashes of its
 * tables; through zstd and encryption in one pass, so that no plain byte touches a disk. The manifest is put beside it
 * last and makes it a backup. What an earlier attempt of the same run has finished is taken as it is.
 */
export async function takeDump(ports: DumpPorts, order: DumpOrder): Promise<DumpManifest> {
  const finished = await finishedBefore(ports, order);
  if (finished !== null) return finished;
  const clock = performance.now();
  const stop = new AbortController();
  const signal = AbortSignal.any([order.signal, stop.signal]);
  return withSnapshot(ports.access, order.runId, signal, async (snapshot) => {
    const facts = await readServerFacts(snapshot.client);
    const onBytes = (bytes: number): void => order.onProgress?.(bytes, facts.database.bytes);
    // Whichever fails first ends the other one, and is what is told.
    const either = <T>(work: Promise<T>): Promise<T> =>
      work.catch((error: unknown) => {
        stop.abort(error);
        throw error;
      });
    const [dumped, hashed] = await settled(
      either(storeDump(ports, { ...order, signal, onBytes, snapshot })),
      either(timedHashes(snapshot)),
    );
    const manifest = signManifest<DumpManifest>(ports.keyRing, {
      v: 1,
      kind: 'dump',
      backupId: backupIdOf(order.key),
      runId: order.runId,
      workflowId: order.workflowId,
      deployment: ports.deployment,
      takenAt: snapshot.takenAt.toISOString(),
      snapshotLsn: snapshot.lsn,
      ...facts,
      ...dumped.content,
      tools: await versionsOf(ports.programs),
      tables: hashed.tables,
      steps: [
        { name: 'dump', seconds: dumped.seconds },
        { name: 'content hash', seconds: hashed.seconds },
        { name: 'in all', seconds: secondsSince(clock) },
      ],
    });
    await writeManifest(ports.storage, manifest, { signal });
    return manifest;
  });
}

/** Both have stopped when this settles, also when one has failed. */
async function settled<A, B>(first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([first, second]);
  return Promise.all([first, second]);
}

/** A manifest is only ever written for a whole object; without one there is nothing to keep. */
async function finishedBefore(ports: DumpPorts, { key, runId, signal }: DumpOrder): Promise<DumpManifest | null> {
  if ((await ports.storage.head(manifestKeyOf(key))) === null) return null;
  const manifest = await readManifest(ports.storage, key, { signal });
  const object = await ports.storage.head(key);
  const isOurs = manifest.kind === 'dump' && manifest.runId === runId && object?.bytes === manifest.object.bytes;
  if (isOurs && checkSignature(ports.keyRing, manifest) === 'valid') return manifest;
  await ports.storage.remove(manifestKeyOf(key)); // the object is about to be another one
  return null;
}

interface Dumping extends DumpOrder {
  readonly snapshot: Snapshot;
  readonly onBytes: (bytes: number) => void;
}

interface Dumped {
  readonly content: Pick<DumpManifest, 'object' | 'dump' | 'compressed'>;
  readonly seconds: number;
}

async function storeDump(ports: DumpPorts, { key, runId, signal, snapshot, onBytes }: Dumping): Promise<Dumped> {
  const clock = performance.now();
  const dump = new Measure();
  const compressed = new Measure();
  const object = new Measure();
  const plain = (until: AbortSignal): AsyncIterable<Uint8Array> =>
    dump.of(dumpStream(ports, runId, snapshot.snapshotId, until), onBytes);
  const packed = streamProgram({
    program: ports.programs.zstd.path,
    args: ['-1', '-q', '-c'],
    env: bareEnvironment(ports.programs.zstd),
    input: plain,
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
  { programs, access }: DumpPorts,
  runId: string,
  snapshotId: string,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> =>
  streamProgram({
    ...postgresProgram(programs.postgres, 'pg_dump', access, applicationNameOf(runId)),
    args: ['-Fc', '-Z0', `--snapshot=${snapshotId}`, `--lock-wait-timeout=${LOCK_WAIT}`, '--no-password'],
    signal,
  });

async function timedHashes({ client }: Snapshot): Promise<{ tables: ManifestTable[]; seconds: number }> {
  const clock = performance.now();
  const tables = await hashTables(client);
  return { tables, seconds: secondsSince(clock) };
}

/** As they say it of themselves. */
async function versionsOf({ postgres, zstd }: BackupPrograms): Promise<Record<string, string>> {
  const said = (program: string, env: NodeJS.ProcessEnv): Promise<string> =>
    programText({ program, args: ['--version'], env });
  const [pgDump, packer] = await Promise.all([
    said(`${postgres.bin}/pg_dump`, bareEnvironment(postgres)),
    said(zstd.path, bareEnvironment(zstd)),
  ]);
  return { pg_dump: versionIn(pgDump), zstd: versionIn(packer) };
}

const versionIn = (text: string): string => /\d+(\.\d+)+/.exec(text)?.[0] ?? text.trim();
const secondsSince = (clock: number): number => Math.round(performance.now() - clock) / 1000;
