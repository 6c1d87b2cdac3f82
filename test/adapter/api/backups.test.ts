import { randomUUID } from 'node:crypto';
import { addBackup, addCheck, beginDeletion, endDeletion, listBackups, readBackup } from '../../../db/backups';
import { createTestDatabase, type TestDatabase } from '../../support/servers';
import { startApp, type AppUnderTest } from '../../unit/api/app-under-test';

let database: TestDatabase;
let app: AppUnderTest;
beforeEach(async () => {
  database = await createTestDatabase();
  const { db } = database;
  app = await startApp({ backups: { list: (page) => listBackups(db, page), read: (id) => readBackup(db, id) } });
});
afterEach(async () => {
  await app.close();
  await database.drop();
});

const RUN = randomUUID();
async function add(takenAt: string, kind: 'dump' | 'mqtt' = 'dump'): Promise<string> {
  const backupId = randomUUID();
  const lies = { backupId, kind, key: `${kind}/${backupId}`, runId: RUN, storedBytes: 10 };
  await addBackup(database.db, { ...lies, takenAtMs: Date.parse(takenAt), manifest: { v: 1 } });
  return backupId;
}
const look = (backupId: string, kind: 'verification' | 'restore-drill', verdict: 'passed' | 'failed' = 'passed') =>
  addCheck(database.db, { backupId, kind, runId: RUN, verdict, details: { faults: [] } });
const read = async (backupId: string) => (await app.call('GET', `/api/backups/${backupId}`, { as: 'viewer' })).body;
const idsOf = async (query: string) => {
  const { body } = await app.call('GET', `/api/backups?${query}`, { as: 'viewer' });
  const items = body.items as unknown as { backupId: string }[]; // whatever other lists have
  return { ids: items.map(({ backupId }) => backupId), next: body.nextCursor };
};

describe('GET /api/backups/{backupId}', () => {
  it('goes from stored to verified to restored, with the check that proves it', async () => {
    const backupId = await add('2026-05-01T02:15:00Z');
    expect(await read(backupId)).toMatchObject({ state: 'stored', verifiedAt: null, proofCheckId: null, checks: [] });
    const verified = await look(backupId, 'verification');
    expect(await read(backupId)).toMatchObject({ state: 'verified', restoredAt: null, proofCheckId: verified });
    const restored = await look(backupId, 'restore-drill');
    expect(await read(backupId)).toMatchObject({
      state: 'restored',
      proofCheckId: restored,
      manifest: { v: 1 },
      checks: [{ kind: 'restore-drill', verdict: 'passed', runId: RUN }, { kind: 'verification' }],
    });
  });

  it('is damaged, and proven by nothing, from the look on that failed; a look that passes heals it', async () => {
    const backupId = await add('2026-05-01T02:15:00Z');
    await look(backupId, 'verification');
    await look(backupId, 'verification', 'failed');
    expect(await read(backupId)).toMatchObject({ state: 'damaged', proofCheckId: null, lastVerdict: 'failed' });
    const healed = await look(backupId, 'verification');
    expect(await read(backupId)).toMatchObject({ state: 'verified', proofCheckId: healed });
  });

  it('stays readable when it was let go, with what let it go', async () => {
    const backupId = await add('2026-05-01T02:15:00Z');
    const because = { backupId: randomUUID(), checkId: 7 };
    await beginDeletion(database.db, backupId, because);
    expect(await read(backupId)).toMatchObject({ state: 'stored', deletedAt: null });
    await endDeletion(database.db, backupId);
    expect(await read(backupId)).toMatchObject({ state: 'deleted', deletedProof: because });
  });

  it('is not found when there is none', async () => {
    const { status, body } = await app.call('GET', `/api/backups/${randomUUID()}`, { as: 'viewer' });
    expect([status, body.code]).toEqual([404, 'BACKUP_NOT_FOUND']);
  });
});

describe('GET /api/backups', () => {
  it('gives pages newest first, each backup once, also of those taken at the same moment', async () => {
    const all: string[] = [];
    for (const night of ['01', '02', '02', '02', '03']) all.push(await add(`2026-05-${night}T02:15:00Z`));
    const seen: string[] = [];
    let cursor = '';
    for (;;) {
      const { ids, next } = await idsOf(`limit=2${cursor}`);
      seen.push(...ids);
      if (next === null) break;
      cursor = `&cursor=${next}`;
    }
    expect(seen[0]).toBe(all[4]);
    expect(seen.at(-1)).toBe(all[0]);
    expect([...seen].sort()).toEqual([...all].sort());
  });

  it('filters by kind and state', async () => {
    const dump = await add('2026-05-01T02:15:00Z');
    const copy = await add('2026-05-01T01:25:00Z', 'mqtt');
    await look(copy, 'verification');
    expect((await idsOf('kind=dump')).ids).toEqual([dump]);
    expect((await idsOf('state=verified')).ids).toEqual([copy]);
    expect((await idsOf('kind=dump&state=verified')).ids).toEqual([]);
  });

  it.each(['cursor=nonsense', 'kind=tape', 'state=lost', 'limit=0', 'limit=201'])('refuses %s', async (query) => {
    expect((await app.call('GET', `/api/backups?${query}`, { as: 'viewer' })).status).toBe(422);
  });
});
