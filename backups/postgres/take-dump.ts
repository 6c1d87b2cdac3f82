import type { BackupVault } from '../vault';
import { backupIdOf } from '../backup-key';
import { checkSignature, manifestKeyOf, readManifest, signManifest, writeManifest } from '../manifest';
import type { DumpManifest, ManifestTable } from '../manifest-schema';
import { programText } from '../run-program';
import { hashTables } from './content-hash';
import { bareEnvironment, type BackupPrograms } from './programs';
import type { PostgresAccess } from './server';
import { readServerFacts } from './server-facts';
import { withSnapshot, type Snapshot } from './snapshot';
import { storeDump } from './store-dump';

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
  const dumpUnder = async (snapshot: Snapshot): Promise<DumpManifest> => {
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
  };
  return withSnapshot(ports.access, order.runId, signal, dumpUnder, ports.programs.longestSilenceMs);
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
