import { randomUUID } from 'node:crypto';
import { userInfo } from 'node:os';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { databaseTls } from '../config/connections';
import { loadSomeSettings } from '../config/load';
import type { Settings } from '../config/schema';
import { prepareRestored } from '../db/prepare-restored';
import type { DeletionsReplayed } from '../db/replay-deletions';
import { parseKeyRing } from '../storage/encryption/key-ring';
import { STORAGE_SETTINGS } from '../storage/location';
import { openStorage } from '../storage/open-storage';
import { readDeletions, type LedgerRead } from './deletions/ledger';
import { contentOf } from './restore/content-of';
import { findBackupPrograms, type BackupPrograms } from './postgres/programs';
import type { PostgresAccess } from './postgres/server';
import { withClient } from './restore/admin-client';
import { RestoreFailure } from './restore/failure';
import { chooseBackup, findBackups, findBaseBackups } from './restore/find-backups';
import { progressLine } from './restore/progress-line';
import { restoreInto, type RestoredInto } from './restore/restore-into';
import { backupTable } from './restore/backup-table';
import { accessOf } from '../config/postgres-url';
import { toTimeCommand } from './restore/to-time-command';
import type { BaseManifest, DumpManifest } from './manifest-schema';

const USAGE = `npm run restore -- --list
npm run restore -- --latest | --id BACKUP  [--into postgres://user:password@host:port/database] [--yes] [--revive-deleted]
npm run restore -- --to-time TIME --into-directory DIR  [--id BASE] [--timeline N] [--revive-deleted]

  --list            what is in storage
  --latest          the newest dump; --id takes a backup's id or its key
  --into            default: DB_NAME at DB_DIRECT_HOST (DB_HOST), as DB_ADMIN_USER
  --yes             replace what is there without asking; it is kept under another name
  --revive-deleted  brings back what was deleted after the backup: when just that was the mistake
  --to-time         the whole cluster as it was at a moment (2026-11-25T18:30:00Z), from a base backup and the archived log
  --into-directory  absent or empty: becomes that cluster
  --timeline        default: the latest

Needs BACKUP_STORAGE and BACKUP_ENCRYPTION_KEYS, and neither the API nor Temporal nor the database that is lost.
What was restored stands quarantined: docs/runbooks/restore.md.`;

/** `npm run restore`: for the night when everything is down. */
async function main(argv: readonly string[]): Promise<number> {
  const values = parsed(argv);
  if (values.help || !isWellPut(values)) {
    process.stderr.write(`${USAGE}\n`);
    return values.help ? 0 : 2;
  }
  const settings = loadSomeSettings([...STORAGE_SETTINGS, ...KEYS, ...PROGRAMS], process.env);
  if (settings.BACKUP_ENCRYPTION_KEYS === undefined)
    throw new Error(
      'BACKUP_ENCRYPTION_KEYS is not set: without the key that a backup was made with nobody can read it (docs/runbooks/restore.md)',
    );
  const keyRing = parseKeyRing(settings.BACKUP_ENCRYPTION_KEYS);
  const storage = await openStorage(settings);
  say(`Looking in ${storage.description}`);
  const stop = stopOnSignal();
  const deletedSince = async (takenAt: Date): Promise<LedgerRead> =>
    values['revive-deleted'] ? { deletions: [], unreadable: [] } : readDeletions({ storage, keyRing }, takenAt);
  const { 'to-time': toTime, 'into-directory': intoDirectory } = values;
  if (toTime !== undefined && intoDirectory !== undefined) {
    const prepare = async (access: PostgresAccess, base: BaseManifest, target: Date): Promise<void> => {
      await quarantineRecovered(access, base, target, await deletedSince(target));
    };
    const ports = { storage, keyRing, programs: programsOf(settings), settings, prepare, say };
    const options = { toTime, intoDirectory, base: values.id, timeline: values.timeline, signal: stop.signal };
    await toTimeCommand(ports, options);
    return 0;
  }
  const { found, unreadable, withoutManifest } = await findBackups({ storage, keyRing });
  for (const { key, why } of unreadable) say(`  ! ${key}: ${why}`);
  for (const key of withoutManifest) say(`  ! ${key} has no manifest: it was never finished, or is being made`);
  if (values.list) {
    process.stdout.write(`${backupTable(found)}\n`);
    const bases = (await findBaseBackups({ storage, keyRing })).found;
    if (bases.length > 0) process.stdout.write(`\nBase backups, for --to-time:\n${backupTable(bases)}\n`);
    return 0;
  }
  const backup = chooseBackup(found, values.id ?? 'latest');
  const programs = programsOf(settings);
  const target = accessOf(values.into ?? targetOfSettings());
  say(`Restoring ${backup.object.key}`);
  say(
    `  as of ${backup.takenAt}, ${megabytes(backup.object.bytes)} stored, database of ${megabytes(backup.database.bytes)}`,
  );
  say(`  into ${target.database} at ${target.host}:${String(target.port)}`);
  const application = applicationRole();
  const by = `restore by ${userInfo().username}`;
  const line = progressLine(process.stderr, backup.object.bytes);
  const again: string[] = [];
  const restored = await restoreInto(
    {
      ...{ storage, keyRing, programs, contentOf },
      prepare: async (access) => {
        const { deletions, unreadable: pages } = await deletedSince(new Date(backup.takenAt));
        const from = { backupId: backup.backupId, takenAt: backup.takenAt, by, ...application, deletions };
        const replay = await withClient(access, 'derms-restore', (client) => prepareRestored(client, from));
        again.push(...toldOfDeletions(replay, pages));
      },
    },
    {
      ...{ backup, target, runId: randomUUID(), signal: stop.signal },
      replace: values.yes || (await agrees(target, stop.signal)),
      onStep: (name) => {
        line.step(name);
      },
      onProgress: line.bytes,
    },
  ).finally(line.end);
  for (const told of again) say(told);
  tell(restored, backup, application.applicationPassword === null);
  return 0;
}

const parsed = (argv: readonly string[]) =>
  parseArgs({
    args: [...argv],
    options: {
      ...{ list: { type: 'boolean', default: false }, latest: { type: 'boolean', default: false } },
      ...{ id: { type: 'string' }, into: { type: 'string' }, yes: { type: 'boolean', default: false } },
      'revive-deleted': { type: 'boolean', default: false },
      ...{ 'to-time': { type: 'string' }, 'into-directory': { type: 'string' }, timeline: { type: 'string' } },
      help: { type: 'boolean', default: false },
    },
  }).values;

/** Exactly one thing is asked for, with all that it takes. */
function isWellPut(values: ReturnType<typeof parsed>): boolean {
  const { list, latest, id, into, timeline, 'to-time': toTime, 'into-directory': directory } = values;
  if (toTime !== undefined || directory !== undefined)
    return toTime !== undefined && directory !== undefined && !list && !latest && into === undefined;
  return timeline === undefined && (list || latest !== (id !== undefined));
}

const KEYS = ['BACKUP_ENCRYPTION_KEYS'] as const;
const PROGRAMS = [
  'POSTGRES_BIN_DIR',
  'POSTGRES_LIBRARY_PATH',
  'ZSTD_PATH',
  'ZSTD_LIBRARY_PATH',
  'BACKUP_SILENCE_TIMEOUT_MS',
] as const;

const programsOf = (settings: Pick<Settings, (typeof PROGRAMS)[number]>): BackupPrograms =>
  findBackupPrograms({
    postgresBin: settings.POSTGRES_BIN_DIR,
    postgresLibraries: settings.POSTGRES_LIBRARY_PATH,
    zstd: settings.ZSTD_PATH,
    zstdLibraries: settings.ZSTD_LIBRARY_PATH,
    longestSilenceMs: settings.BACKUP_SILENCE_TIMEOUT_MS,
  });

function stopOnSignal(): AbortController {
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.once(name, () => {
      stop.abort(new Error(`stopped by ${name}; what was there is as it was`));
    });
  return stop;
}

/** The application's database in a cluster that was recovered to a moment. */
async function quarantineRecovered(
  access: PostgresAccess,
  base: BaseManifest,
  target: Date,
  { deletions, unreadable }: LedgerRead,
): Promise<void> {
  const { DB_NAME: database } = loadSomeSettings(['DB_NAME'], process.env);
  const by = `recovery by ${userInfo().username}`;
  const from = { backupId: base.backupId, takenAt: target.toISOString(), by, ...applicationRole(), deletions };
  const replay = await withClient({ ...access, database }, 'derms-restore', (client) => prepareRestored(client, from));
  for (const told of toldOfDeletions(replay, unreadable)) say(told);
}

function toldOfDeletions({ replayed, left }: DeletionsReplayed, pages: LedgerRead['unreadable']): string[] {
  const kinds = [...new Set(replayed.map(({ kind }) => kind))];
  const counts = kinds.map((kind) => `${String(replayed.filter((one) => one.kind === kind).length)} ${kind}`);
  return [
    ...(replayed.length > 0 ? [`Taken away again, as it was after the backup: ${counts.join(', ')}.`] : []),
    ...left.map(({ feederId, why }) => `  ! feeder ${feederId} had been removed after the backup and is back: ${why}`),
    ...pages.map(({ key, why }) => `  ! ${key}: ${why}; what it says was deleted is back`),
  ];
}

function targetOfSettings(): PostgresAccess {
  const settings = loadSomeSettings(
    [
      ...(['DB_HOST', 'DB_PORT', 'DB_DIRECT_HOST', 'DB_DIRECT_PORT', 'DB_NAME', 'DB_ADMIN_USER'] as const),
      ...(['DB_ADMIN_PASSWORD', 'DB_SSLMODE', 'DB_SSL_CA_PATH', 'DB_SSL_CERT_PATH', 'DB_SSL_KEY_PATH'] as const),
    ],
    process.env,
  );
  const { DB_ADMIN_USER: user, DB_ADMIN_PASSWORD: password } = settings;
  if (user === undefined || password === undefined)
    throw new Error('DB_ADMIN_USER and DB_ADMIN_PASSWORD are needed, or --into with an address');
  return {
    host: settings.DB_DIRECT_HOST ?? settings.DB_HOST,
    port: settings.DB_DIRECT_PORT ?? settings.DB_PORT,
    database: settings.DB_NAME,
    user,
    password,
    tls: databaseTls(settings),
  };
}

/** Its password is set again where it is known: no backup holds one. */
function applicationRole(): { applicationRole: string; applicationPassword: string | null } {
  const { DB_USER: role } = loadSomeSettings(['DB_USER'], process.env);
  try {
    return { applicationRole: role, applicationPassword: loadSomeSettings(['DB_PASSWORD'], process.env).DB_PASSWORD };
  } catch {
    return { applicationRole: role, applicationPassword: null };
  }
}

/** Asked only where something would be replaced: `restoreInto` refuses it when nobody has agreed. */
async function agrees(target: PostgresAccess, signal: AbortSignal): Promise<boolean> {
  if (!process.stdin.isTTY) return false;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  terminal.setPrompt(`If ${target.database} holds something it is kept under another name. Type its name to go on: `);
  terminal.prompt();
  // Ctrl-C, Ctrl-D and a signal end the question; without an answer nothing is done.
  const answer = await new Promise<string>((resolve) => {
    terminal.once('line', resolve);
    terminal.once('close', () => {
      resolve('');
    });
    terminal.once('SIGINT', () => {
      terminal.close();
    });
    signal.addEventListener('abort', () => {
      terminal.close();
    });
  });
  terminal.close();
  if (answer.trim() === target.database) return true;
  throw new Error('Nothing was done.');
}

function tell({ compared, before, ...restored }: RestoredInto, backup: DumpManifest, passwordUnknown: boolean): void {
  say(`Restored: ${String(compared.tables)} tables with ${String(compared.rows)} rows, all equal to the manifest.`);
  if (before !== null) say(`What was there before is ${before} now; drop it when nobody needs it any more.`);
  if (restored.rolesMade.length > 0) say(`Roles made, without passwords: ${restored.rolesMade.join(', ')}`);
  if (passwordUnknown) say("DB_PASSWORD is not set here: the application's role keeps the password it has.");
  for (const sql of restored.rightsToGive) say(`  a person decides: ${sql}`);
  for (const difference of restored.differences) say(`  ! ${difference}`);
  say(`The database is QUARANTINED: it shows ${backup.takenAt}. Next: docs/runbooks/restore.md, step 4.`);
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
const say = (text: string): void => void process.stderr.write(`${text}\n`);

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    say(error instanceof Error ? error.message : String(error));
    if (error instanceof RestoreFailure && error.code === 'RESTORE_TARGET_REFUSED')
      say('With --yes it is replaced, and what is there is kept under another name.');
    process.exit(1);
  },
);
