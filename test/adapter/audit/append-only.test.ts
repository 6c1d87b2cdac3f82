import type { Client } from 'pg';
import { appendAudit } from '../../../db/audit';
import type { Database } from '../../../db/pool';
import { createTestDatabase, type TestDatabase } from '../../support/servers';
import { ANNA } from '../db/people-writes';
import { connectAsOwner } from './owner';

let database: TestDatabase;
let db: Database;
let owner: Client;
beforeAll(async () => {
  database = await createTestDatabase();
  ({ db } = database);
  owner = await connectAsOwner(database);
  await appendAudit(db, ANNA, { action: 'x', subject: 'y', outcome: 'done', detail: {} });
});
afterAll(async () => {
  await owner.end();
  await database.drop();
});

describe('what is written', () => {
  it.each([
    "update audit_log set actor = 'nobody'",
    'delete from audit_log',
    'truncate audit_log',
    'delete from audit_chain',
    "update audit_chain set hash = '\\x00'",
    'delete from audit_heads',
    'delete from audit_sealing',
    "insert into audit_log (actor, action, subject, outcome, at) values ('x', 'y', 'z', 'done', '2020-01-01')",
    "insert into audit_log (id, actor, action, subject, outcome) overriding system value values (1, 'x', 'y', 'z', 'done')",
    "insert into audit_log (actor, action, subject, outcome, written_in) values ('x', 'y', 'z', 'done', '3')",
    'alter table audit_log disable trigger only_added_to',
  ])('stays as it is for the application: %s is refused', async (sql) => {
    await expect(db.query(sql)).rejects.toThrow(/permission denied|must be owner/);
  });

  it.each(['update audit_log set actor = actor', 'delete from audit_chain', 'truncate audit_heads'])(
    'is guarded from its owner too: %s is refused',
    async (sql) => {
      await expect(owner.query(sql)).rejects.toThrow('is only ever added to');
    },
  );
});
