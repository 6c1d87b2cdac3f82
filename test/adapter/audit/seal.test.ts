import { linkEntries } from '../../../audit/entry-hash';
import { sealAll } from '../../../audit/sealer';
import { verifyAudit } from '../../../audit/verify';
import { appendAudit } from '../../../db/audit';
import { readAuditFigures, sealEntries } from '../../../db/audit-chain';
import { openDatabase, type Database } from '../../../db/pool';
import { createTestDatabase, eventually, testLog, type TestDatabase } from '../../support/servers';
import { ANNA } from '../db/people-writes';
import { connectAsOwner } from './owner';
import { forkSealer, killSealer } from './sealing-processes';

let database: TestDatabase;
let db: Database;
beforeEach(async () => {
  database = await createTestDatabase({ poolSize: 20 });
  ({ db } = database);
});
afterEach(async () => {
  await database.drop();
});

const append = (subject: string, on: Pick<Database, 'query'> = db): Promise<void> =>
  appendAudit(on, ANNA, { action: 'feeder.change', subject, outcome: 'done', detail: { limitKw: 40 } });

const sealedSubjects = async (): Promise<string[]> => {
  const { rows } = await db.query<{ subject: string }>(
    'select subject from audit_chain join audit_log on id = entry_id order by position',
  );
  return rows.map(({ subject }) => subject);
};
const verify = () => verifyAudit(db, { keyRing: null, stored: { heads: [], unreadable: [] } });

/** A transaction that has its id and is held open. */
async function heldOpen(subject: string): Promise<{ commit: () => Promise<void>; rollback: () => Promise<void> }> {
  let end: (how: 'commit' | 'rollback') => void = () => undefined;
  const ended = new Promise<'commit' | 'rollback'>((resolve) => {
    end = resolve;
  });
  let written = (): void => undefined;
  const isWritten = new Promise<void>((resolve) => {
    written = resolve;
  });
  const transaction = db.transaction(async (tx) => {
    await append(subject, tx);
    written();
    if ((await ended) === 'rollback') throw new Error('rolled back');
  });
  const over = transaction.then(
    () => undefined,
    () => undefined,
  );
  await isWritten;
  return {
    commit: () => (end('commit'), over),
    rollback: () => (end('rollback'), over),
  };
}

describe('sealing', () => {
  it('chains what is committed, once', async () => {
    await append('a');
    await append('b');
    expect(await sealAll(db)).toBe(2);
    expect(await sealAll(db)).toBe(0);
    expect(await sealedSubjects()).toEqual(['a', 'b']);
    expect(await verify()).toMatchObject({ sound: true, entries: 2, end: { position: 2 } });
  });

  it('takes a row that is committed late after those that were committed before it, and gaps are no holes', async () => {
    const late = await heldOpen('late');
    const lost = await heldOpen('lost');
    await append('early');
    await sealAll(db);
    expect(await sealedSubjects()).toEqual(['early']);
    await lost.rollback();
    await append('next');
    await sealAll(db);
    await late.commit();
    await sealAll(db);
    expect(await sealedSubjects()).toEqual(['early', 'next', 'late']);
    expect(await verify()).toMatchObject({ sound: true, entries: 3, unsealed: { entries: 0 } });
  });

  it('looks only at what may be new, however long the log is', async () => {
    for (let index = 0; index < 5; index += 1) await append(`old-${String(index)}`);
    // The server's other databases count: it waits for the transactions that were open there.
    await eventually(async () => {
      await sealAll(db);
      const { rows } = await db.query('select id from audit_log, audit_sealing where written_in >= settled_before');
      expect(rows).toEqual([]);
    });
  });

  it('goes on in batches where there is more than one holds', async () => {
    for (let index = 0; index < 5; index += 1) await append(String(index));
    const sealed = [];
    for (let round = 0; round < 4; round += 1) sealed.push(await sealEntries(db, { limit: 2, link: linkEntries }));
    expect(sealed).toEqual([2, 2, 1, 0]);
    expect(await sealedSubjects()).toEqual(['0', '1', '2', '3', '4']);
  });

  it('is done by one process at a time; the others are told', async () => {
    await append('a');
    let inside = (): void => undefined;
    const isInside = new Promise<void>((resolve) => {
      inside = resolve;
    });
    const holding = db.transaction(async (tx) => {
      await tx.query('select pg_advisory_xact_lock(7203442)');
      inside();
      await tx.query('select pg_sleep(0.5)');
    });
    await isInside;
    expect(await sealEntries(db, { limit: 10, link: linkEntries })).toBeNull();
    await holding;
    expect(await sealEntries(db, { limit: 10, link: linkEntries })).toBe(1);
  });

  it.each([
    ['is killed', 3_000],
    ['hangs', 6_000],
  ])(
    'goes on elsewhere when the process that seals %s in the middle of it, within %i ms',
    async (what, withinMs) => {
      await append('a');
      const lost = await forkSealer({ database: database.options, standStill: true });
      try {
        const lostAt = performance.now();
        if (what === 'is killed') await killSealer(lost);

        await eventually(
          async () => {
            await sealAll(db);
            expect(await sealedSubjects()).toEqual(['a']);
          },
          20_000,
          100,
        );

        expect(performance.now() - lostAt).toBeLessThan(withinMs);
      } finally {
        await killSealer(lost);
      }
    },
    120_000,
  );

  it('loses and doubles nothing under twenty writers and two sealers, with some that roll back', async () => {
    const other = openDatabase({ ...database.options, poolSize: 2 }, testLog);
    let writing = true;
    const sealers = [db, other].map(async (sealer) => {
      while (writing) await sealAll(sealer).catch(() => undefined); // who was hung up on tries again, as the real one does
    });
    const writers = Array.from({ length: 20 }, async (_, writer) => {
      for (let index = 0; index < 25; index += 1) {
        const write = db.transaction(async (tx) => {
          await append(`${String(writer)}-${String(index)}`, tx);
          await tx.query('select pg_sleep($1)', [((writer * 7 + index * 3) % 10) / 1_000]);
          if (index % 5 === 4) throw new Error('rolled back');
        });
        await write.catch(() => undefined);
      }
    });
    await Promise.all(writers);
    writing = false;
    await Promise.all(sealers);
    await sealAll(db);
    await other.close();
    expect(await verify()).toMatchObject({ sound: true, entries: 400, unsealed: { entries: 0 } });
    expect(new Set(await sealedSubjects()).size).toBe(400);
  });

  it('seals what a restore brought from another cluster, whose transactions have other numbers', async () => {
    await append('sealed-before');
    await sealAll(db);
    const owner = await connectAsOwner(database);
    await owner.query(`
      insert into audit_log (actor, action, subject, outcome, written_in)
        values ('x', 'y', 'from-afar', 'done', '9999999999'), ('x', 'y', 'from-long-ago', 'done', '3');
      update audit_sealing set numbered_in = 'another', settled_before = '99999999999'`);
    await owner.end();
    await append('here');
    await sealAll(db);
    await append('after');
    await sealAll(db);
    expect(await sealedSubjects()).toEqual(['sealed-before', 'from-afar', 'from-long-ago', 'here', 'after']);
  });

  it('says how far it is behind', async () => {
    expect(await readAuditFigures(db)).toEqual({ unsealedEntries: 0, sealedLagSeconds: 0, lastHeadSeconds: 0 });
    await append('a');
    await new Promise((resolve) => setTimeout(resolve, 300));
    const behind = await readAuditFigures(db);
    expect(behind.unsealedEntries).toBe(1);
    expect(behind.sealedLagSeconds).toBeGreaterThan(0.25);
    await sealAll(db);
    expect(await readAuditFigures(db)).toMatchObject({ unsealedEntries: 0, sealedLagSeconds: 0 });
  });
});
