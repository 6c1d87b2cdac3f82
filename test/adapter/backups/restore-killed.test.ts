import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Client } from 'pg';
import { withClient } from '../../../backups/restore/admin-client';
import { marked } from '../../support/marked-processes';
import { makeBackup } from '../../support/own-backup';
import { createRestoreWorld, type RestoreWorld } from '../../support/restore-world';
import { eventually } from '../../support/servers';

// A row of the backup is only let in when a role is not there: while it is, a restore stands still in the middle of its work.

const BUILT = join(__dirname, '../../../dist/backups/restore-main.js');
const UNIQUE = randomUUID().replaceAll('-', '').slice(0, 12);
const HOLD = `hold_${UNIQUE}`;
const DATABASE = `restored_${UNIQUE}`;
const WITHIN_MS = 180_000;

let world: RestoreWorld;
let temporary: string;
beforeAll(async () => {
  if (!existsSync(BUILT)) throw new Error('dist/ is not there: run npm run build');
  world = await createRestoreWorld();
  temporary = join(world.folder, 'tmp');
  mkdirSync(temporary);
  await withClient(world.source, 'test', (client) =>
    client.query(`
      create function let_in(integer) returns boolean language plpgsql volatile as $$
      begin
        while exists (select 1 from pg_catalog.pg_roles where rolname = '${HOLD}') loop
          perform pg_catalog.pg_sleep(0.05);
        end loop;
        return true;
      end $$;
      create table held (n integer check (public.let_in(n)));
      insert into held values (1);`),
  );
  await makeBackup(world.source, world);
}, 180_000);
afterAll(() => world.close());
afterEach(async () => {
  await letGo();
  for (const name of [...(await databasesLike('derms\\_restoring\\_%')), ...(await databasesLike(`%${UNIQUE}%`))])
    await onServer(`drop database if exists "${name}" with (force)`);
});

const onServer = (sql: string) =>
  withClient({ ...world.source, database: 'postgres' }, 'test', (client) => client.query<Record<string, string>>(sql));
const databasesLike = async (pattern: string): Promise<string[]> =>
  (await onServer(`select datname from pg_database where datname like '${pattern}' order by 1`)).rows.map(
    (row) => row['datname'] ?? '',
  );
const hold = () => onServer(`create role ${HOLD}`);
const letGo = () => onServer(`drop role if exists ${HOLD}`);

function restore(database = DATABASE): ChildProcess & { readonly told: () => string } {
  const { host, port, user, password } = world.source;
  const { postgres, zstd } = world.programs;
  const target = `postgres://${user}:${encodeURIComponent(password)}@${host}:${String(port)}/${database}`;
  const child = spawn(process.execPath, [BUILT, '--latest', '--yes', '--into', target], {
    cwd: world.folder,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      TMPDIR: temporary, // every program that it starts has it too, and is known by it
      BACKUP_STORAGE: pathToFileURL(join(world.folder, 'backups')).href,
      BACKUP_ENCRYPTION_KEYS: world.keys,
      ...{ POSTGRES_BIN_DIR: postgres.bin, ZSTD_PATH: zstd.path },
    },
  });
  let told = '';
  child.stderr.on('data', (chunk: Buffer) => (told += chunk.toString()));
  return Object.assign(child, { told: () => told });
}
const codeOf = async (child: ChildProcess): Promise<number | null> =>
  child.exitCode ?? ((await once(child, 'exit')) as [number | null])[0];
const kill = async (child: ChildProcess): Promise<void> => {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
};

/** The database of a restore that stands still in the middle, other than these. */
const inTheMiddle = (...others: string[]): Promise<string> =>
  eventually(async () => {
    const { rows } = await onServer(
      `select datname from pg_stat_activity where datname like 'derms\\_restoring\\_%' and query like 'COPY public.held%'`,
    );
    const found = rows.map((row) => row['datname'] ?? '').find((name) => !others.includes(name));
    expect(found).toBeDefined();
    return found!;
  }, WITHIN_MS);
const commentOn = async (database: string): Promise<string | undefined> => {
  const { rows } = await onServer(
    `select shobj_description(oid, 'pg_database') as comment from pg_database where datname = '${database}'`,
  );
  return rows[0]?.['comment'];
};
async function expectNothingLeft(): Promise<void> {
  expect(await databasesLike('derms\\_restoring\\_%')).toEqual([]);
  await eventually(async () => {
    const { rows } = await onServer(
      `select application_name from pg_stat_activity where application_name like 'derms-restore%' or application_name = 'pg_restore'`,
    );
    expect(rows).toEqual([]);
    expect(marked(temporary).map(({ program }) => program)).toEqual([]);
  }, WITHIN_MS);
}
const makePrecious = async (): Promise<void> => {
  await onServer(`create database ${DATABASE}`);
  await inTarget('create table precious (id int)');
};
const inTarget = (sql: string, database = DATABASE) =>
  withClient({ ...world.source, database }, 'test', (client) => client.query<Record<string, unknown>>(sql));

describe('npm run restore that is killed with kill -9', () => {
  it('in the middle leaves what was there, and beside it a database that says it is unfinished; the next one succeeds and leaves nothing', async () => {
    await makePrecious();
    await hold();
    const first = restore();
    const unfinished = await inTheMiddle();
    await kill(first);
    expect(await commentOn(unfinished)).toBe('derms restore: unfinished');
    expect((await inTarget('select * from precious')).rows).toEqual([]);

    // Its session on the server knows nothing of the end yet, and does not keep the next one from its work.
    const second = restore();
    await inTheMiddle(unfinished);
    expect(await databasesLike(unfinished)).toEqual([]);
    await letGo();
    expect([await codeOf(second), second.told()]).toEqual([0, expect.stringContaining('all equal to the manifest')]);
    expect((await inTarget('select lifted_at from quarantine')).rows).toEqual([{ lifted_at: null }]);
    const [before = ''] = await databasesLike(`${DATABASE}\\_before\\_%`);
    expect((await inTarget('select * from precious', before)).rows).toEqual([]);
    await expectNothingLeft();
  }, 400_000);

  it('between the two renames leaves the old one in its place, and the next one succeeds', async () => {
    await makePrecious();
    await hold();
    const first = restore();
    const unfinished = await inTheMiddle();
    const { host, port, user, password } = world.source;
    const blocker = new Client({ host, port, user, password, database: 'postgres' });
    await blocker.connect();
    try {
      await blocker.query('begin; lock table pg_database in share row exclusive mode'); // no database changes its name
      await letGo();
      await eventually(async () => {
        const { rows } = await onServer(
          `select query from pg_stat_activity where query like 'alter database%' and wait_event_type = 'Lock'`,
        );
        expect(rows).toHaveLength(1);
      }, WITHIN_MS);
      await kill(first);
      await blocker.query('rollback');
    } finally {
      await blocker.end();
    }
    expect(first.told()).toContain('putting it in its place');
    await eventually(async () => {
      expect((await inTarget('select * from precious')).rows).toEqual([]);
      expect(await commentOn(unfinished)).toBe('derms restore: unfinished');
    }, WITHIN_MS);
    const second = restore();
    expect([await codeOf(second), second.told()]).toEqual([0, expect.stringContaining('What was there before is')]);
    await expectNothingLeft();
  }, 400_000);

  it('is told from one that goes on: another restore beside it takes nothing from it', async () => {
    await hold();
    const first = restore();
    const going = await inTheMiddle();
    const second = restore(`${DATABASE}_2`);
    await inTheMiddle(going);
    expect(await databasesLike(going)).toEqual([going]);
    await letGo();
    expect([await codeOf(first), await codeOf(second)]).toEqual([0, 0]);
    await expectNothingLeft();
  }, 400_000);
});
