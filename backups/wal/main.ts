import { loadSomeSettings } from '../../config/load';
import { parseKeyRing } from '../../storage/encryption/key-ring';
import { STORAGE_SETTINGS } from '../../storage/location';
import { openStorage } from '../../storage/open-storage';
import { archiveFile, type WalArchive } from './archive-file';
import { readSystemId } from './archive-key';
import { restoreFile } from './restore-file';

const USAGE = `usage, both in PostgreSQL's data folder, as the server runs them:
  node dist/backups/wal/main.js [--env FILE] archive %p %f
  node dist/backups/wal/main.js [--env FILE] restore %f %p`;

/**
 * What PostgreSQL makes of exit codes: of `archive_command` all but 0 means to offer the file again; of
 * `restore_command` 1 means that there is no such file, and above 125 that recovery has to stop.
 */
const EXIT = { done: 0, notThere: 1, notArchived: 1, stopRecovery: 200 } as const;

/** `archive_command` and `restore_command` of a cluster whose log goes to the storage of the backups. */
async function main(given: readonly string[]): Promise<number> {
  const [envFile, [verb, first, second, ...more]] = given[0] === '--env' ? [given[1], given.slice(2)] : ['.env', given];
  if (first === undefined || second === undefined || more.length > 0) return fail(EXIT.stopRecovery, USAGE);
  if (verb === 'archive')
    return archive(envFile, first, second).catch((error: unknown) => fail(EXIT.notArchived, reasonOf(error)));
  if (verb === 'restore')
    return restore(envFile, first, second).catch((error: unknown) => fail(EXIT.stopRecovery, reasonOf(error)));
  return fail(EXIT.stopRecovery, USAGE);
}

async function archive(envFile: string | undefined, path: string, name: string): Promise<number> {
  await archiveFile(await openArchive(envFile), path, name);
  return EXIT.done;
}

async function restore(envFile: string | undefined, name: string, path: string): Promise<number> {
  return (await restoreFile(await openArchive(envFile), name, path)) ? EXIT.done : EXIT.notThere;
}

async function openArchive(envFile: string | undefined): Promise<WalArchive> {
  const settings = loadSomeSettings([...STORAGE_SETTINGS, 'BACKUP_ENCRYPTION_KEYS'], process.env, envFile);
  if (settings.BACKUP_ENCRYPTION_KEYS === undefined) throw new Error('BACKUP_ENCRYPTION_KEYS: is required and missing');
  return {
    storage: await openStorage(settings),
    keyRing: parseKeyRing(settings.BACKUP_ENCRYPTION_KEYS),
    systemId: readSystemId('.'),
  };
}

/** To the server's log. */
function fail(code: number, message: string): number {
  process.stderr.write(`derms wal: ${message}\n`);
  return code;
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

void main(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
