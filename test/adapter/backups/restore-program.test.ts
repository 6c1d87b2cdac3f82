import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { newKeyEntry } from '../../../storage/encryption/key-ring';
import type { DumpManifest } from '../../../backups/manifest-schema';
import { withClient } from '../../../backups/restore/admin-client';
import { contentOf } from '../../../backups/restore/content-of';
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

/** Nobody answers questions: standard input is closed. */
async function restore(argv: string[], env: Record<string, string | undefined> = {}) {
  const { postgres, zstd } = world.programs;
  const child = spawn(process.execPath, [BUILT, ...argv], {
    cwd: world.folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      BACKUP_STORAGE: pathToFileURL(join(world.folder, 'backups')).href,
      BACKUP_ENCRYPTION_KEYS: world.keys,
      ...{ POSTGRES_BIN_DIR: postgres.bin, ZSTD_PATH: zstd.path },
      ...env,
    },
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

  it('leaves what was there as it was when the backup turns out to be damaged', async () => {
    await onServer(`create database ${database}`);
    const { rows } = await onServer(`select oid::text from pg_database where datname = '${database}'`);
    const wrong = newKeyEntry('k1');
    const { code, err } = await restore(['--latest', '--into', target(), '--yes'], { BACKUP_ENCRYPTION_KEYS: wrong });
    expect([code, err]).toEqual([
      1,
      expect.stringContaining('none of the 2 backups in storage was signed with a key of this ring'),
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
