import { createHash } from 'node:crypto';
import { decrypt } from '../../storage/encryption/decrypt';
import type { KeyRing } from '../../storage/encryption/key-ring';
import type { ObjectStorage } from '../../storage/port';
import type { DumpManifest } from '../manifest-schema';
import { bareEnvironment, silenceOf, type BackupPrograms } from '../postgres/programs';
import { applicationNameOf, postgresProgram, type PostgresAccess } from '../postgres/server';
import { serverWorksFor } from '../postgres/works-for';
import { runProgram, streamProgram } from '../run-program';
import { RestoreFailure } from './failure';

export interface RestoreDump {
  readonly backup: DumpManifest;
  readonly storage: Pick<ObjectStorage, 'get'>;
  readonly keyRing: KeyRing;
  readonly programs: BackupPrograms;
  /** An empty database; its owner, or a superuser. */
  readonly target: PostgresAccess;
  readonly runId: string;
  readonly signal: AbortSignal;
  /** Stored bytes read so far. */
  readonly onProgress?: (bytes: number) => void;
}

/**
 * From the store into an empty database: fetched, its checksum made, decrypted, unpacked and restored while it streams;
 * plaintext is in no file. The roles have to be there. The first error ends it (`--exit-on-error`).
 *
 * @throws {RestoreFailure} BACKUP_ALTERED; {DecryptionError}, {StorageError}, {ProgramError} of the step that failed.
 */
export async function restoreDump(restore: RestoreDump): Promise<void> {
  const { programs, target, runId, signal } = restore;
  const pgRestore = postgresProgram(programs.postgres, 'pg_restore', target, applicationNameOf(runId));
  let sourceFailure: unknown;
  const plain = async function* (until: AbortSignal): AsyncGenerator<Uint8Array> {
    try {
      yield* dumpOf({ ...restore, signal: AbortSignal.any([signal, until]) });
    } catch (error) {
      sourceFailure ??= error;
      throw error;
    }
  };
  try {
    await runProgram({
      ...pgRestore,
      args: ['--exit-on-error', '--no-password', '--dbname', target.database],
      input: plain,
      silence: silenceOf(programs, () => serverWorksFor(target, applicationNameOf(runId))),
      signal,
    });
  } catch (error) {
    // A source that ends early makes pg_restore complain: why it ended is what people need to know.
    throw signal.aborted ? signal.reason : (sourceFailure ?? error);
  }
}

/** The dump itself, as `pg_dump` wrote it. */
export async function* dumpOf(restore: Omit<RestoreDump, 'target'>): AsyncGenerator<Uint8Array> {
  const { backup, storage, keyRing, programs, signal } = restore;
  const stored = await storage.get(backup.object.key, { signal });
  const encrypted = wholeObject(stored, backup, restore.onProgress);
  yield* streamProgram({
    program: programs.zstd.path,
    args: ['--decompress', '--stdout', '--quiet'],
    env: bareEnvironment(programs.zstd),
    input: () => decrypt(encrypted, keyRing, backup.object.key),
    silence: silenceOf(programs),
    signal,
  });
}

async function* wholeObject(
  stored: AsyncIterable<Uint8Array>,
  { object }: DumpManifest,
  onProgress?: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of stored) {
    hash.update(chunk);
    bytes += chunk.byteLength;
    onProgress?.(bytes);
    yield chunk;
  }
  const sha256 = hash.digest('hex');
  if (bytes !== object.bytes || sha256 !== object.sha256)
    throw new RestoreFailure(
      'BACKUP_ALTERED',
      `${object.key} has ${String(bytes)} bytes with sha256 ${sha256}; its manifest says ${String(object.bytes)} and ${object.sha256}`,
    );
}
