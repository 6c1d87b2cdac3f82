import { execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { storeDeletions } from '../../../backups/deletions/ledger';
import { manifestKeyOf } from '../../../backups/manifest';
import { createDirectoryStorage } from '../../../storage/directory';
import { newKeyEntry } from '../../../storage/encryption/key-ring';
import type { DumpManifest } from '../../../backups/manifest-schema';
import { withClient } from '../../../backups/restore/admin-client';
import { contentOf } from '../../../backups/restore/content-of';
import { atATerminal } from '../../support/at-a-terminal';
import { stockDump } from '../../support/stocked-backups';
import { makeBackup } from '../../support/own-backup';
import { createRestoreWorld, type RestoreWorld } from '../../support/restore-world';

const BUILT = join(__dirname, '../../../dist/backups/restore-main.js');

let world: RestoreWorld;
let backup: DumpManifest;
let database: string;
beforeAll(async () => {
  if (!existsSync(BUILT)) throw new Error('dist/ is not there: run npm run build');
  world = await createRestoreWorld();
  await makeBackup(world.source, world, new Date(Date.now() - 86_400_000));
  backup = await makeBackup(world.source, world);
}, 60_000);
afterAll(() => world.close());

beforeEach(() => {
  database = `restored_${randomUUID().replaceAll('-', '')}`;
});
afterEach(async () => {
  for (const name of await databasesLike(`${database.slice(0, 38)}%`))
    await onServer(`drop database "${name}" with (force)`);
});

const onServer = (sql: string) =>
  withClient({ ...world.source, database: 'postgres' }, 'test', (client) => client.query<Record<string, string>>(sql));
const databasesLike = async (pattern: string): Promise<string[]> =>
  (await onServer(`select datname from pg_database where datname like '${pattern}' order by 1`)).rows.map(
    (row) => row['datname'] ?? '',
  );
const target = () => {
  const { host, port, user, password } = world.source;
  return `postgres://${user}:${encodeURIComponent(password)}@${host}:${String(port)}/${database}`;
};

const environment = (): NodeJS.ProcessEnv => {
  const { postgres, zstd } = world.programs;
  return {
    PATH: process.env['PATH'],
    BACKUP_STORAGE: pathToFileURL(join(world.folder, 'backups')).href,
    BACKUP_ENCRYPTION_KEYS: world.keys,
    ...{ POSTGRES_BIN_DIR: postgres.bin, ZSTD_PATH: zstd.path },
  };
};

/** Nobody answers questions: standard input is closed. */
async function restore(argv: string[], env: Record<string, string | undefined> = {}) {
  const child = spawn(process.execPath, [BUILT, ...argv], {
    cwd: world.folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...environment(), ...env },
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number];
  return { code, out, err };
}

describe('npm run restore', () => {
  it('lists what is in storage, newest first', async () => {
    const { code, out } = await restore(['--list']);
    expect(code).toBe(0);
    const [head, first, second, ...more] = out.trimEnd().split('\n');
    expect(head).toMatch(/^TAKEN AT +ID +STORED +KEY +MANIFEST +OBJECT$/);
    expect(first).toContain(backup.backupId);
    expect(first).toContain('signed');
    expect(second).not.toContain(backup.backupId);
    expect(more).toEqual([]);
  });

  it('names what is no backup, and never takes it for the latest', async () => {
    const storage = createDirectoryStorage(join(world.folder, 'backups'));
    const { object } = await stockDump({ storage, keyRing: world.keyRing }, '2030-01-01T02:15:00.000Z', {
      content: false,
    });
    const half = await stockDump({ storage, keyRing: world.keyRing }, '2030-01-02T02:15:00.000Z', { manifest: false });
    try {
      const { out, err } = await restore(['--list']);
      expect(out).toMatch(new RegExp(`CONTENT IS GONE +${object.key}`));
      expect(err).toContain(`${half.object.key} has no manifest`);
      const latest = await restore(['--latest', '--into', 'postgres://x:x@127.0.0.1:1/x']);
      expect(latest.err).toContain(`as of ${backup.takenAt}`);
    } finally {
      await storage.remove(manifestKeyOf(object.key));
      await storage.remove(half.object.key);
    }
  });

  it('shows which key each backup needs, as the page of the key ring has it', async () => {
    const page = readFileSync(join(__dirname, '../../../docs/runbooks/backup-key.md'), 'utf8');
    const idsOfRing = `tr ',' '\\n' < "$BACKUP_ENCRYPTION_KEYS_FILE" | cut -d: -f1`;
    expect(page).toContain(`\n${idsOfRing}\n`);
    const file = join(world.folder, 'ring');
    const newKey = newKeyEntry('k2');
    writeFileSync(file, `${newKey},${world.keys}\n`);
    const env = { BACKUP_ENCRYPTION_KEYS: undefined, BACKUP_ENCRYPTION_KEYS_FILE: file };
    const ids = execFileSync('bash', ['-c', idsOfRing], { env: { ...process.env, BACKUP_ENCRYPTION_KEYS_FILE: file } });
    expect(ids.toString()).toBe('k2\nk1\n');
    expect((await restore(['--list'], env)).out).toMatch(/ k1 +signed/);
    // The old key is lost: nothing is restored with the new one alone, and the list says what is missing.
    const lost = { BACKUP_ENCRYPTION_KEYS: newKey };
    expect((await restore(['--list'], lost)).out).toMatch(/ k1 +KEY IS NOT HERE/);
    const refused = await restore(['--id', backup.backupId, '--into', target()], lost);
    expect([refused.code, refused.err]).toEqual([
      1,
      expect.stringContaining('which BACKUP_ENCRYPTION_KEYS does not hold'),
    ]);
  });

  it('restores the newest one into a database that is not there, equal in every row, and leaves it quarantined', async () => {
    const { code, err } = await restore(['--latest', '--into', target()]);
    expect(err).toContain(`as of ${backup.takenAt}`);
    expect(err).toContain('all equal to the manifest');
    expect(err).toContain('QUARANTINED');
    expect(code).toBe(0);
    const access = { ...world.source, database };
    const content = new Map((await contentOf(access, AbortSignal.timeout(10_000))).map((table) => [table.name, table]));
    for (const table of backup.tables.filter(({ name }) => /feeders|devices$|telemetry/.test(name)))
      expect(content.get(table.name)).toEqual(table);
    const { rows } = await withClient(access, 'test', (client) =>
      client.query('select restored_from, lifted_at from quarantine'),
    );
    expect(rows).toEqual([{ restored_from: backup.backupId, lifted_at: null }]);
    // What the broker had acknowledged by then says nothing of now.
    const sessions = await withClient(access, 'test', (client) => client.query('select epoch from broker_session'));
    expect(sessions.rows).toEqual([{ epoch: 2 }]);
  }, 60_000);

  it('pitfall: does not bring back what was deleted after the backup, and says so, unless it is told to', async () => {
    await storeDeletions(
      { storage: createDirectoryStorage(join(world.folder, 'backups')), keyRing: world.keyRing },
      [{ kind: 'device', subject: 'ev-2', deletedAt: new Date().toISOString() }],
      new Date(),
    );
    const devices = async (): Promise<unknown[]> =>
      (
        await withClient({ ...world.source, database }, 'test', (client) =>
          client.query<{ device_id: string }>('select device_id from devices order by 1'),
        )
      ).rows.map((row) => row.device_id);
    const { code, err } = await restore(['--latest', '--into', target()]);
    expect([code, err]).toEqual([
      0,
      expect.stringContaining('Taken away again, as it was after the backup: 1 device.'),
    ]);
    expect(await devices()).toEqual(['ev-1', 'ev-3']);
    const revived = await restore(['--latest', '--into', target(), '--yes', '--revive-deleted']);
    expect(revived.code).toBe(0);
    expect(await devices()).toEqual(['ev-1', 'ev-2', 'ev-3']);
  }, 180_000);

  it('overwrites nothing without being told, and keeps what was there when it is', async () => {
    await onServer(`create database ${database}`);
    const access = { ...world.source, database };
    await withClient(access, 'test', (client) => client.query('create table precious (id int)'));
    const refused = await restore(['--latest', '--into', target()]);
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('holds something')]);
    expect(refused.err).toContain('With --yes');

    const { code, err } = await restore(['--id', backup.backupId, '--into', target(), '--yes']);
    expect(err).toContain('What was there before is');
    expect(code).toBe(0);
    const before = (await databasesLike(`${database.slice(0, 38)}_before_%`))[0] ?? '';
    const kept = await withClient({ ...access, database: before }, 'test', (client) =>
      client.query('select * from precious'),
    );
    expect(kept.rows).toEqual([]);
    expect(await databasesLike('derms\\_restoring\\_%')).toEqual([]);
  }, 60_000);

  describe('at a terminal asks for the name of the database before it replaces anything', () => {
    const QUESTION = `Type its name to go on: `;
    const asked = async () => {
      await onServer(`create database ${database}`);
      await onTarget('create table precious (id int)');
      const options = { cwd: world.folder, env: environment() };
      const terminal = atATerminal([process.execPath, BUILT, '--latest', '--into', target()], options);
      await terminal.shows(QUESTION);
      return terminal;
    };
    const onTarget = (sql: string, name = database) =>
      withClient({ ...world.source, database: name }, 'test', (client) => client.query(sql));

    it('and goes on when it is typed', async () => {
      const terminal = await asked();
      terminal.type(`${database}\r`);
      const { code, screen } = await terminal.ended();
      expect([code, screen]).toEqual([0, expect.stringContaining('What was there before is')]);
      const [before = ''] = await databasesLike(`${database.slice(0, 38)}_before_%`);
      expect((await onTarget('select * from precious', before)).rows).toEqual([]);
      expect((await onTarget('select lifted_at from quarantine')).rows).toEqual([{ lifted_at: null }]);
    }, 60_000);

    it.each([
      ['another word is typed', 'yes\r'],
      ['nothing is typed', '\r'],
      ['it is left with Ctrl-C', '\x03'],
      ['it is left with Ctrl-C in the middle of the name', 'restored\x03'],
      ['it is left with Ctrl-D', '\x04'],
    ])(
      'and does nothing when %s',
      async (_what, keys) => {
        const terminal = await asked();
        terminal.type(keys);
        const { code, screen } = await terminal.ended();
        expect([code, screen]).toEqual([1, expect.stringContaining('Nothing was done.')]);
        expect((await onTarget('select * from precious')).rows).toEqual([]);
        expect(await databasesLike('derms\\_restoring\\_%')).toEqual([]);
      },
      60_000,
    );
  });

  it('leaves what was there as it was when the backup turns out to be damaged', async () => {
    await onServer(`create database ${database}`);
    const { rows } = await onServer(`select oid::text from pg_database where datname = '${database}'`);
    const wrong = newKeyEntry('k1');
    const { code, err } = await restore(['--latest', '--into', target(), '--yes'], { BACKUP_ENCRYPTION_KEYS: wrong });
    expect([code, err]).toEqual([
      1,
      expect.stringContaining('none of the 2 backups in storage is whole and was signed with a key of this ring'),
    ]);
    expect((await onServer(`select oid::text from pg_database where datname = '${database}'`)).rows).toEqual(rows);
  });

  it.each([
    ['no key', { BACKUP_ENCRYPTION_KEYS: undefined }, 'BACKUP_ENCRYPTION_KEYS is not set'],
    ['no storage', { BACKUP_STORAGE: undefined }, 'BACKUP_STORAGE: is required and missing'],
    ['an empty storage', { BACKUP_STORAGE: 'file:///nonexistent/backups' }, 'there is no backup in storage'],
    ['no programs', { POSTGRES_BIN_DIR: '/nonexistent' }, 'set POSTGRES_BIN_DIR'],
    ['a target that nobody serves', { DB_ADMIN_USER: 'x', DB_ADMIN_PASSWORD: 'x', DB_PORT: '1' }, 'ECONNREFUSED'],
    ['no target', {}, 'DB_ADMIN_USER and DB_ADMIN_PASSWORD are needed'],
  ])('says what is missing: %s', async (_what, env, words) => {
    const { code, err } = await restore(['--latest'], env);
    expect([code, err]).toEqual([1, expect.stringContaining(words)]);
  });

  it('says how it is used', async () => {
    const { code, err } = await restore([]);
    expect([code, err]).toEqual([2, expect.stringContaining('npm run restore -- --list')]);
  });
});
