import { Client } from 'pg';
import { markStored, unstoredDeletions } from '../../../db/deletions';
import { issueMachineToken, revokeMachineToken } from '../../../db/machine-tokens';
import { replayDeletions } from '../../../db/replay-deletions';
import type { Deletion } from '../../../domain/deletion';
import { addEv, addFeeder } from '../../support/fleet-rows';
import { createTestDatabase, testServers, type TestDatabase } from '../../support/servers';

const ACTOR = { user: 'olga', role: 'admin', requestId: '-', address: '-' };
const TOKEN = '019ac1f0-7b00-7c11-8a22-9b33ac44bd55';

let database: TestDatabase;
let admin: Client;
beforeEach(async () => {
  database = await createTestDatabase();
  const { host, port, adminUser: user, adminPassword: password } = testServers().postgres;
  admin = new Client({ host, port, user, password, database: database.name });
  await admin.connect();
});
afterEach(async () => {
  await admin.end();
  await database.drop();
});

const told = async (): Promise<string[]> =>
  (await unstoredDeletions(database.db, 100)).map(({ kind, subject }) => `${kind} ${subject}`);
const issueToken = () =>
  issueMachineToken(database.db, {
    ...{ tokenId: TOKEN, tokenHash: Buffer.alloc(32, 1), name: 'scada', issuer: 'staging', scopes: ['read'] },
    ...{ purpose: 'reads', validDays: 30, actor: ACTOR },
  });
/** As the backup knows it: made a day ago. */
const aged = (table: string, column = 'created_at') =>
  admin.query(`update ${table} set ${column} = now() - interval '1 day'`);
const replay = async (...deletions: Omit<Deletion, 'deletedAt'>[]) => {
  const deletedAt = new Date(Date.now() - 3_600_000).toISOString();
  await admin.query('begin');
  const replayed = await replayDeletions(
    admin,
    deletions.map((deletion) => ({ ...deletion, deletedAt })),
  );
  await admin.query('commit');
  return { replayed: replayed.replayed.map(({ kind, subject }) => `${kind} ${subject}`), left: replayed.left };
};
const ids = async (table: 'devices' | 'feeders'): Promise<string[]> => {
  const id = table === 'devices' ? 'device_id' : 'feeder_id';
  const { rows } = await database.db.query<{ id: string }>(`select ${id} as id from ${table} order by 1`);
  return rows.map((row) => row.id);
};

describe('what is deleted', () => {
  it('is on record in the transaction that deletes it, also when a person does it with SQL', async () => {
    await addFeeder(database.db, 'north');
    await addEv(database.db, 'ev-1', 'north');
    await addEv(database.db, 'ev-2', 'north');
    await database.db.query(`delete from devices where device_id = 'ev-1'`);
    await admin.query(`delete from devices where device_id = 'ev-2'; delete from feeders where feeder_id = 'north'`);
    expect(await told()).toEqual(['device ev-1', 'device ev-2', 'feeder north']);
    await expect(
      database.db.transaction(async (tx) => {
        await tx.query(
          `insert into feeders (feeder_id, root_id, import_limit_kw, export_limit_kw, origin) values ('south', 'south', 1, 1, 'wire')`,
        );
        await tx.query(`delete from feeders where feeder_id = 'south'`);
        throw new Error('not after all');
      }),
    ).rejects.toThrow('not after all');
    expect(await told()).toHaveLength(3);
  });

  it('is told once, and a token that is revoked counts', async () => {
    await issueToken();
    await revokeMachineToken(database.db, { tokenId: TOKEN, reason: 'leaked', actor: ACTOR });
    const unstored = await unstoredDeletions(database.db, 100);
    expect(unstored).toMatchObject([{ kind: 'machine-token', subject: TOKEN }]);
    await markStored(database.db, [unstored[0]!.deletionId]);
    expect(await told()).toEqual([]);
  });

  it('cannot be taken off the record by the application', async () => {
    await addFeeder(database.db, 'north');
    await database.db.query(`delete from feeders`);
    await expect(database.db.query('delete from deletions')).rejects.toThrow('permission denied');
    await expect(database.db.query(`update deletions set subject = 'x'`)).rejects.toThrow('permission denied');
  });
});

describe('the replay of deletions', () => {
  it('takes away again what the backup brought back, a tree of feeders from below, and is harmless twice', async () => {
    await addFeeder(database.db, 'north');
    await addFeeder(database.db, 'north-1', { parentId: 'north', rootId: 'north' });
    await addFeeder(database.db, 'south');
    await addEv(database.db, 'ev-1', 'north-1');
    await addEv(database.db, 'ev-2', 'south');
    await issueToken();
    for (const table of ['feeders', 'devices']) await aged(table);
    await aged('machine_tokens', 'issued_at');
    const deletions = [
      { kind: 'feeder', subject: 'north' },
      { kind: 'feeder', subject: 'north-1' },
      { kind: 'device', subject: 'ev-1' },
      { kind: 'machine-token', subject: TOKEN },
      { kind: 'device', subject: 'never-heard-of' },
    ] as const;
    const { replayed, left } = await replay(...deletions);
    expect([...replayed].sort()).toEqual(['device ev-1', 'feeder north', 'feeder north-1', `machine-token ${TOKEN}`]);
    expect(left).toEqual([]);
    expect([await ids('devices'), await ids('feeders')]).toEqual([['ev-2'], ['south']]);
    const { rows } = await database.db.query('select revoked_by, revoke_reason from machine_tokens');
    expect(rows).toEqual([{ revoked_by: 'restore', revoke_reason: 'it had been revoked after the backup' }]);
    expect(await replay(...deletions)).toEqual({ replayed: [], left: [] });
    // The next restore of the same backup has them too.
    expect(await told()).toContain('device ev-1');
  });

  it('leaves alone what was made anew after its deletion', async () => {
    await addFeeder(database.db, 'north');
    await addEv(database.db, 'ev-1', 'north');
    expect(await replay({ kind: 'device', subject: 'ev-1' }, { kind: 'feeder', subject: 'north' })).toEqual({
      replayed: [],
      left: [],
    });
    expect(await ids('devices')).toEqual(['ev-1']);
  });

  it('names a feeder that cannot go, since something that is not deleted is on it in the backup', async () => {
    await addFeeder(database.db, 'north');
    await addEv(database.db, 'ev-moved', 'north');
    await aged('feeders');
    const { replayed, left } = await replay({ kind: 'feeder', subject: 'north' });
    expect(replayed).toEqual([]);
    expect(left).toEqual([{ feederId: 'north', why: expect.stringContaining('violates foreign key constraint') }]);
    expect(await ids('feeders')).toEqual(['north']);
  });
});
