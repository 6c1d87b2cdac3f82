import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from 'pg';
import { linkEntries } from '../../../audit/entry-hash';
import { signHead } from '../../../audit/head';
import type { AuditReport } from '../../../audit/report';
import { sealAll } from '../../../audit/sealer';
import { readStoredHeads, storeHead } from '../../../audit/stored-heads';
import { verifyAudit } from '../../../audit/verify';
import { appendAudit } from '../../../db/audit';
import { listLinks, signChainEnd } from '../../../db/audit-chain';
import type { Database } from '../../../db/pool';
import { createDirectoryStorage } from '../../../storage/directory';
import type { ObjectStorage } from '../../../storage/port';
import { keyRing } from '../../support/keys';
import { createTestDatabase, type TestDatabase } from '../../support/servers';
import { ANNA } from '../db/people-writes';
import { connectAsOwner, disarm } from './owner';

const RING = keyRing('k1');
let database: TestDatabase;
let db: Database;
let owner: Client;
let storage: ObjectStorage;
let folder: string;

/** Ten sealed entries; a head at the fifth and at the tenth, both in storage. */
beforeEach(async () => {
  database = await createTestDatabase();
  ({ db } = database);
  owner = await connectAsOwner(database);
  await disarm(owner);
  folder = mkdtempSync(join(tmpdir(), 'derms-audit-'));
  storage = createDirectoryStorage(folder);
  await write(5);
  await storeNow();
  await write(5);
  await storeNow();
});
afterEach(async () => {
  await owner.end();
  await database.drop();
  rmSync(folder, { recursive: true });
});

async function write(entries: number): Promise<void> {
  for (let index = 0; index < entries; index += 1) {
    await appendAudit(db, ANNA, {
      ...{ action: 'feeder.change', subject: 'north', outcome: 'done' },
      detail: { before: { importLimitKw: 40 }, after: { importLimitKw: 41 + index } },
    });
  }
  await sealAll(db);
}

const signNow = () => signChainEnd(db, 0, signHead(RING));
async function storeNow(): Promise<void> {
  const head = await signNow();
  if (head === null) throw new Error('there is nothing to sign');
  await storeHead(storage, head);
}

const verify = async (ring = RING): Promise<AuditReport> =>
  verifyAudit(db, { keyRing: ring, stored: await readStoredHeads(storage) });
const firstFault = async () => {
  const { sound, faults } = await verify();
  return { sound, ...faults[0] };
};

/** As somebody would who owns the database and has read this code: links anew from a position on. */
async function chainAnewFrom(position: number): Promise<void> {
  const [before, ...after] = (await listLinks(db, position - 2, 1_000)).map((link) => link);
  if (before === undefined) throw new Error('there is no link before');
  const entries = after.flatMap(({ entry }) => (entry === null ? [] : [entry]));
  for (const { position: at, hash } of linkEntries(before, entries)) {
    await owner.query('update audit_chain set hash = $2 where position = $1', [at, hash]);
  }
}

it('a log that nobody touched is sound, and says how far it is signed and stored', async () => {
  await write(3);
  await appendAudit(db, ANNA, { action: 'x', subject: 'y', outcome: 'done', detail: {} });
  expect(await verify()).toMatchObject({
    sound: true,
    summary: '13 entries, each as it was written',
    end: { position: 13 },
    signedUpTo: { position: 10 },
    storedUpTo: { position: 10 },
    unsealed: { entries: 1 },
    faults: [],
    notes: [],
  });
});

it('every column of an entry counts: one that is changed names the entry', async () => {
  const { rows } = await owner.query<{ column_name: string; data_type: string }>(
    "select column_name, data_type from information_schema.columns where table_name = 'audit_log' and column_name <> 'id'",
  );
  expect(rows).toHaveLength(10);
  const other: Record<string, string> = {
    text: `'another'`,
    jsonb: `'{"before": {"importLimitKw": 40}, "after": {"importLimitKw": 43.0000000000000000001}}'`,
    'timestamp with time zone': `at + interval '1 microsecond'`,
    xid8: `'4'`,
  };
  for (const { column_name: column, data_type: type } of rows) {
    await owner.query('begin');
    await owner.query(`update audit_log set ${column} = ${other[type] ?? ''} where id = 3`);
    await owner.query('commit');
    const { faults, badLinks } = await verify();
    expect([column, badLinks, faults[0]]).toMatchObject([
      column,
      1,
      { kind: 'entry-changed', position: 3, entryId: '3' },
    ]);
    await owner.query(`delete from audit_log where id = 3`);
    await owner.query(
      `insert into audit_log overriding system value select 3, at, actor, role, action, subject, outcome, request_id, address,
         '{"after": {"importLimitKw": 43}, "before": {"importLimitKw": 40}}', written_in from audit_log where id = 4`,
    );
    await owner.query(
      'delete from audit_chain; delete from audit_heads; update audit_sealing set settled_before = null',
    );
    rmSync(join(folder, 'audit'), { recursive: true, force: true });
    await sealAll(db);
  }
});

it('an entry that got another id counts', async () => {
  await owner.query('alter table audit_log alter column id drop identity; update audit_log set id = 99 where id = 3');
  expect(await firstFault()).toMatchObject({ sound: false, kind: 'entry-missing', position: 3, entryId: '3' });
  await owner.query('update audit_chain set entry_id = 99 where position = 3');
  expect(await firstFault()).toMatchObject({ sound: false, kind: 'entry-changed', position: 3, entryId: '99' });
});

it('an entry removed from the middle is named', async () => {
  await owner.query('delete from audit_log where id = 4');
  expect(await firstFault()).toMatchObject({ sound: false, kind: 'entry-missing', position: 4, entryId: '4' });
});

it('an entry removed with its link is named by the link', async () => {
  await owner.query('delete from audit_log where id = 4; delete from audit_chain where position = 4');
  expect(await firstFault()).toMatchObject({ sound: false, kind: 'link-missing', position: 4 });
});

it('a chain that was made anew behind a changed entry does not fit the head of that time', async () => {
  await owner.query("update audit_log set actor = 'nobody' where id = 7");
  await chainAnewFrom(7);
  expect(await verify()).toMatchObject({
    sound: false,
    badLinks: 0,
    signedUpTo: { position: 5 },
    faults: [{ kind: 'head-not-of-this-chain', position: 10 }, { kind: 'head-not-of-this-chain' }],
  });
});

it('the same with its heads made anew too: their signatures are wrong, and storage says otherwise', async () => {
  await owner.query("update audit_log set actor = 'nobody' where id = 7");
  await chainAnewFrom(7);
  await owner.query(
    'update audit_heads h set hash = c.hash from audit_chain c where c.position = h.position and h.position = 10',
  );
  const { faults } = await verify();
  expect(faults.map(({ kind, position }) => [kind, position])).toEqual([
    ['head-forged', 10],
    ['head-not-of-this-chain', 10],
  ]);
});

it('a head that was signed with another key of the same name is forged', async () => {
  await owner.query('delete from audit_heads where position = 10');
  await signChainEnd(db, 0, () => ({ keyId: 'k1', signature: Buffer.alloc(32, 7).toString('base64') }));
  expect(await firstFault()).toMatchObject({ sound: false, kind: 'head-forged', position: 10 });
});

it('a tail that was cut, heads and all, is found by the head in storage', async () => {
  await owner.query(`delete from audit_chain where position > 7; delete from audit_log where id > 7;
                     delete from audit_heads where position > 7`);
  expect(await firstFault()).toMatchObject({
    sound: false,
    kind: 'tail-missing',
    position: 10,
    detail: expect.stringContaining('3 entries are missing at its end') as string,
  });
  await write(5); // grown over again
  expect(await firstFault()).toMatchObject({ sound: false, kind: 'head-not-of-this-chain', position: 10 });
});

it('without storage that is not seen, and the report says so', async () => {
  await owner.query(`delete from audit_chain where position > 7; delete from audit_log where id > 7;
                     delete from audit_heads where position > 7`);
  expect(await verifyAudit(db, { keyRing: RING, stored: null })).toMatchObject({
    sound: true,
    end: { position: 7 },
    notes: ['no storage is set: a tail cut together with its heads would not be seen'],
  });
});

it('a link cut from the end leaves its entry unsealed, and late', async () => {
  await owner.query("update audit_log set at = at - interval '5 minutes' where id = 10");
  await owner.query('delete from audit_chain where position = 10; delete from audit_heads where position = 10');
  rmSync(join(folder, 'audit'), { recursive: true });
  expect(await firstFault()).toMatchObject({ sound: false, kind: 'entries-unsealed', entryId: '10' });
});

it('what lies among the heads in storage and is none is named', async () => {
  async function* bytes(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('{"format":1}');
  }
  await storage.put('audit/heads/0000000000000003-00.json', bytes());
  expect(await firstFault()).toMatchObject({
    kind: 'head-forged',
    detail: 'audit/heads/0000000000000003-00.json is no head',
  });
});

it('a key that was replaced and is gone is noted; one that is kept in the ring is checked', async () => {
  expect(await verify(keyRing('k2', 'k1'))).toMatchObject({ sound: true, notes: [] });
  expect(await verify(keyRing('k2'))).toMatchObject({
    sound: true,
    notes: ['a head of key k1 is not checked: the ring does not have it'],
  });
});

it('the same head is stored once, and never over another', async () => {
  const head = await signChainEnd(db, 3_600_000, signHead(RING));
  if (head === null) throw new Error('there is no head');
  expect(await storeHead(storage, head)).toBe(await storeHead(storage, head));
  expect((await readStoredHeads(storage)).heads.map(({ position }) => position)).toEqual([5, 10]);
});

describe('a database restored from before', () => {
  /** As if the backup had been taken after the seventh entry, one more not sealed yet. */
  beforeEach(async () => {
    await owner.query(`delete from audit_chain where position > 7; delete from audit_log where id > 8;
                       delete from audit_heads where position > 7;
                       update audit_sealing set settled_before = null`);
  });

  it('says where it ends against the head in storage', async () => {
    expect(await firstFault()).toMatchObject({
      kind: 'tail-missing',
      detail: expect.stringMatching(
        /^the chain ends at link 7; the head of \S+ in storage says 10: 3 entries are missing at its end$/,
      ) as string,
    });
  });

  it('is sound once the restore is on record, which names what of the log is not here', async () => {
    const actor = { ...ANNA, role: 'restore' };
    const detail = { takenAt: '2026-05-01T00:00:00Z' };
    await appendAudit(db, actor, { action: 'database.restore', subject: 'backup-1', outcome: 'done', detail });
    const told = { backupId: 'backup-1', headOfBefore: { position: 10 } };
    expect(await verify()).toMatchObject({ sound: true, restores: [told] });
    await write(5);
    await storeNow();
    expect(await verify()).toMatchObject({
      ...{ sound: true, entries: 14, storedUpTo: { position: 14 } },
      restores: [{ ...told, position: 9 }],
    });
  });

  it('is not excused from what was signed since, nor from what came with the backup', async () => {
    await appendAudit(db, ANNA, { action: 'database.restore', subject: 'backup-1', outcome: 'done', detail: {} });
    await write(5);
    await storeNow();
    await owner.query("update audit_log set actor = 'nobody' where id = 2");
    await chainAnewFrom(2);
    const { faults } = await verify();
    expect(faults.map(({ kind, position }) => [kind, position])).toEqual([
      ['head-not-of-this-chain', 5],
      ['head-not-of-this-chain', 5],
    ]);
  });
});
