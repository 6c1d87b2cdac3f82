import {
  appendFileSync,
  chownSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { canEnter, unprivilegedUser, type OsUser } from '../../servers/os-user';
import { makeRunFolder, sweepRunFolders } from '../../servers/run-folder';
import { beginRunRecord, ownerOfRun } from '../../servers/run-record';
import { StorageError } from '../../storage/storage-error';
import type { BasePrograms } from '../base/programs';
import { UNFINISHED, unpackBase, verifyCluster } from '../base/unpack-base';
import type { BaseManifest } from '../manifest-schema';
import type { PostgresAccess } from '../postgres/server';
import type { BackupVault } from '../vault';
import { measuredFaults } from '../verdict';
import { archiveCoverage } from '../wal/coverage';
import { RestoreFailure } from './failure';
import { RecoveryEnded, startRecovery, type RecoveredServer } from './recovering-server';

export interface RecoverPorts extends BackupVault {
  readonly programs: BasePrograms;
  /** Ours, with `%f` and `%p`. */
  readonly restoreCommand: string;
  /** What it needs to know: storage and keys. */
  readonly restoreEnvironment: NodeJS.ProcessEnv;
  /** Keeps the application from acting on what was recovered, before anybody can start it. */
  readonly prepare: (access: PostgresAccess, base: BaseManifest, target: Date) => Promise<void>;
}

export interface RecoverOrder {
  readonly base: BaseManifest;
  readonly target: Date;
  /** `latest`, or the number of one that was left. */
  readonly timeline: number | 'latest';
  /** Absent or empty: becomes the cluster. */
  readonly directory: string;
  readonly signal: AbortSignal;
  readonly onStep: (name: string) => void;
  /** Stored bytes of the base backup read so far. */
  readonly onProgress: (bytes: number) => void;
  readonly onFile: (name: string) => void;
}

export interface Recovered {
  /** As the server says it: the first transaction that is not there any more, and its time. */
  readonly stoppedBefore: string;
  /** When the last transaction that is there was committed, by the server's clock. */
  readonly lastCommitAt: string | null;
}

/**
 * Recovers a cluster to a moment: base backup unpacked and verified, the log replayed to the target and no further, the
 * cluster opened and shut down again. It leaves `archive_mode = off` in it: with the identifier of its original it would
 * write into the original's archive.
 *
 * @throws {RestoreFailure} RECOVERY_FELL_SHORT when the target was not reached, whatever the server made of it;
 * RESTORE_TARGET_REFUSED, BACKUP_ALTERED. What fails leaves the directory as it was: empty. Who is killed leaves
 * `UNFINISHED-RECOVERY.json` in it, and the next recovery into it begins anew.
 */
export async function recoverToTime(ports: RecoverPorts, order: RecoverOrder): Promise<Recovered> {
  const { base, directory, signal, onStep } = order;
  onStep('looking at the archive');
  await refuseUnreachable(ports, order);
  const runAs = unprivilegedUser('postgres');
  await sweepRunFolders(tmpdir(), PREFIX, []); // the server of a recovery that was killed is ended
  await claim(directory, runAs);
  const work = makeRunFolder(tmpdir(), PREFIX);
  try {
    onStep('unpacking the base backup');
    await unpackWhole(ports, order);
    onStep('verifying it');
    await verifyCluster(ports.programs, directory, signal);
    markForRecovery(directory);
    if (runAs) giveTo(runAs, directory);
    onStep('replaying the log');
    const { postgres: tools } = ports.programs;
    const { restoreCommand, restoreEnvironment: environment } = ports;
    const workFolder = join(work.path, 'run');
    mkdirSync(workFolder, { mode: 0o711 });
    if (runAs) chownSync(workFolder, runAs.uid, runAs.gid);
    const server = await startRecovery({
      ...{ ...order, tools, directory, workFolder, superuser: base.superuser, runAs, restoreCommand, environment },
      onSpawn: ({ name, pid }) => {
        work.record.add(name, pid);
      },
    });
    const recovered = await settle(ports, order, server);
    rmSync(join(directory, UNFINISHED));
    return recovered;
  } catch (error) {
    empty(directory);
    throw error instanceof RecoveryEnded ? await whyEnded(ports, order, error) : error;
  } finally {
    work.remove();
  }
}

const PREFIX = 'derms-recovery-';

/** Before hours are spent: nothing archived leads beyond the base backup. */
async function refuseUnreachable(ports: RecoverPorts, { base, target, timeline }: RecoverOrder): Promise<void> {
  if (target.getTime() > Date.now())
    throw new RestoreFailure('RECOVERY_FELL_SHORT', `${target.toISOString()} is yet to come`);
  const { reachesLsn, gaps } = await coverage(ports, base, timeline);
  if (reachesLsn !== null) return;
  const missing = gaps[0] ?? base.startWalFile;
  throw new RestoreFailure(
    'RECOVERY_FELL_SHORT',
    `the log that the base backup begins in is not in the archive: ${missing}`,
  );
}

const coverage = ({ storage, keyRing }: RecoverPorts, base: BaseManifest, timeline: number | 'latest') =>
  archiveCoverage(
    { storage, keyRing, systemId: base.server.systemIdentifier },
    { ...base, timeline: base.server.timeline },
    timeline,
  );

async function claim(directory: string, runAs: OsUser | undefined): Promise<void> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const mark = join(directory, UNFINISHED);
  if (existsSync(mark) && ownerOfRun(mark) === undefined) await emptyForGood(directory);
  if (readdirSync(directory).length > 0)
    throw new RestoreFailure('RESTORE_TARGET_REFUSED', `${directory} is not empty, and nothing is overwritten`);
  if (runAs && !canEnter(runAs, dirname(directory)))
    throw new RestoreFailure('RESTORE_TARGET_REFUSED', `${runAs.name}, who runs PostgreSQL, cannot enter ${directory}`);
  beginRunRecord(mark);
}

/** Children of a server that was killed end a moment after it, and may still write. */
async function emptyForGood(directory: string): Promise<void> {
  const until = performance.now() + ORPHANS_END_WITHIN_MS;
  do {
    empty(directory);
    await pause(ORPHANS_SETTLE_MS);
  } while (readdirSync(directory).length > 0 && performance.now() < until);
}

const ORPHANS_END_WITHIN_MS = 15_000;
const ORPHANS_SETTLE_MS = 500;

function empty(directory: string): void {
  for (const name of readdirSync(directory))
    rmSync(join(directory, name), { recursive: true, force: true, maxRetries: 5 });
}

async function unpackWhole(ports: RecoverPorts, { base, directory, signal, onProgress }: RecoverOrder): Promise<void> {
  const { object, archive } = await unpackBase(ports, {
    ...{ key: base.object.key, folder: directory, signal, onProgress },
  });
  const [fault] = [
    ...measuredFaults('the stored object', object, base.object),
    ...measuredFaults('the archive', archive, base.archive),
  ];
  if (fault !== undefined) throw new RestoreFailure('BACKUP_ALTERED', `${base.object.key}: ${fault}`);
}

function markForRecovery(directory: string): void {
  writeFileSync(join(directory, 'recovery.signal'), '', { mode: 0o600 });
  appendFileSync(
    join(directory, 'postgresql.auto.conf'),
    `# Recovered: it has the identifier of its original, whose archive it must not write to.\narchive_mode = 'off'\n`,
  );
}

function giveTo({ uid, gid }: OsUser, directory: string): void {
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' }))
    lchownSync(join(directory, name), uid, gid);
  chownSync(directory, uid, gid);
}

/** The server is open; what it says of where it stopped counts, not that it started. */
async function settle(
  ports: RecoverPorts,
  { base, target, onStep }: RecoverOrder,
  server: RecoveredServer,
): Promise<Recovered> {
  try {
    const stoppedBefore = /recovery stopping (?:before|after) (.+)/.exec(server.log)?.[1];
    if (stoppedBefore === undefined)
      throw new RestoreFailure(
        'RECOVERY_FELL_SHORT',
        `the server opened at the end of the log, not at ${target.toISOString()}: something after it is missing`,
      );
    onStep('quarantining');
    await ports.prepare(server.access, base, target);
    return { stoppedBefore, lastCommitAt: lastCommitIn(server.log) };
  } finally {
    await server.stop();
  }
}

const lastCommitIn = (log: string): string | null =>
  /last completed transaction was at log time (.+)/.exec(log)?.[1] ?? null;

/** In words that say what to do, where the reason is the log. */
async function whyEnded(
  ports: RecoverPorts,
  { base, target, timeline }: RecoverOrder,
  { log, cause }: RecoveryEnded,
): Promise<unknown> {
  if (!log.includes('recovery ended before configured recovery target was reached')) return cause;
  const { gaps } = await coverage(ports, base, timeline).catch((error: unknown) => {
    if (error instanceof StorageError) return { gaps: [] };
    throw error;
  });
  const [missing] = gaps;
  const lastCommit = lastCommitIn(log);
  const until = lastCommit === null ? '' : `, the last transaction in it is of ${lastCommit}`;
  return new RestoreFailure(
    'RECOVERY_FELL_SHORT',
    missing === undefined
      ? `the archived log ends before ${target.toISOString()}${until}`
      : `${missing} is not in the archive, though later files are: nothing after it can be recovered${until}`,
    { cause },
  );
}
