import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { makeRunFolder, sweepRunFolders } from '../../servers/run-folder';
import { decrypt } from '../../storage/encryption/decrypt';
import { Measure, type Measured } from '../measured';
import { bareEnvironment, postgresTool } from '../postgres/programs';
import { ProgramError, runProgram, streamProgram } from '../run-program';
import type { BackupVault } from '../vault';
import type { BasePrograms } from './programs';

export interface UnpackPorts extends BackupVault {
  readonly programs: BasePrograms;
}

export interface UnpackOrder {
  readonly key: string;
  /** Is there and empty. */
  readonly folder: string;
  readonly signal: AbortSignal;
  /** Stored bytes read so far. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

/** What came out of storage, on each side of what was done to it. */
export interface MeasuredBase {
  readonly object: Measured;
  readonly compressed: Measured;
  readonly archive: Measured;
}

/**
 * Fetches a base backup and unpacks it into a folder: what is in there afterwards is the cluster, in plain.
 *
 * @throws what says that the backup is bad (`DecryptionError`, `StorageError`, `ProgramError` of zstd); anything else is
 * a failure of this machine, such as a full disk.
 */
export async function unpackBase(ports: UnpackPorts, order: UnpackOrder): Promise<MeasuredBase> {
  const { storage, keyRing, programs } = ports;
  const { key, folder, signal } = order;
  const [object, compressed, archive] = [new Measure(), new Measure(), new Measure()];
  const fetched = async function* (until: AbortSignal): AsyncGenerator<Uint8Array> {
    const stored = object.of(await storage.get(key, { signal: until }), order.onProgress);
    yield* compressed.of(decrypt(stored, keyRing, key));
  };
  const tarred = (until: AbortSignal): AsyncIterable<Uint8Array> =>
    archive.of(
      streamProgram({
        program: programs.zstd.path,
        args: ['-d', '-q', '-c'],
        env: bareEnvironment(programs.zstd),
        input: fetched,
        signal: until,
      }),
    );
  // -o: files become ours, not those of whoever has the server's number here.
  const unpacking = { program: programs.tar.path, args: ['-x', '-o', '-f', '-', '-C', folder] };
  const env = bareEnvironment(programs.tar);
  try {
    await runProgram({ ...unpacking, env, input: tarred, drainsInput: true, signal });
  } catch (error) {
    if (!(error instanceof ProgramError) || error.program !== programs.tar.path) throw error;
    throw new Error(`it cannot be unpacked into ${folder}: ${error.message}`, { cause: error });
  }
  return { object: object.end(), compressed: compressed.end(), archive: archive.end() };
}

/** Lies in a cluster for as long as a recovery is at it; it is not part of the base backup. */
export const UNFINISHED = 'UNFINISHED-RECOVERY.json';

/**
 * Has pg_verifybackup look at every file of the cluster and at the log that makes it consistent.
 *
 * @throws {ProgramError} with what it found.
 */
export async function verifyCluster(
  { postgres }: Pick<BasePrograms, 'postgres'>,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const { path: program } = postgresTool(postgres, 'pg_verifybackup');
  await runProgram({
    program,
    args: ['--quiet', `--ignore=${UNFINISHED}`, folder],
    env: bareEnvironment(postgres),
    signal,
  });
}

const PREFIX = 'derms-base-';

/** Runs `work` with a folder that only we may enter, and removes it; what killed runs left below `parent` goes first. */
export async function withUnpackFolder<T>(parent: string, work: (folder: string) => Promise<T>): Promise<T> {
  mkdirSync(parent, { recursive: true });
  await sweepRunFolders(parent, PREFIX, []);
  const run = makeRunFolder(parent, PREFIX);
  try {
    const folder = join(run.path, 'cluster');
    mkdirSync(folder, { mode: 0o700 });
    return await work(folder);
  } finally {
    run.remove();
  }
}
