import { mkdtempSync, rmSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { adoptBackups } from '../../../backups/adopt-backups';
import { manifestKeyOf } from '../../../backups/manifest';
import { reconcileBackups } from '../../../backups/reconcile/backups';
import { retainBackups } from '../../../backups/retain-backups';
import { backupCatalogue } from '../../../db/backup-catalogue';
import { listBackups } from '../../../db/backups';
import { newKeyEntry, parseKeyRing } from '../../../storage/encryption/key-ring';
import type { ObjectStorage } from '../../../storage/port';
import { keysIn, read, type BackupPlace, type MakePlace } from '../backup-places';
import { createTestDatabase, type TestDatabase } from '../servers';
import { stockDump } from '../stocked-backups';

const keyRing = parseKeyRing(newKeyEntry('k1'));
const NIGHTS = ['2026-11-01', '2026-11-02', '2026-11-03'].map((day) => `${day}T02:15:00.000Z`);
const [FIRST, SECOND, THIRD] = NIGHTS as [string, string, string];
const NOW_MS = Date.parse('2026-11-20T03:00:00Z');
const DAY_MS = 86_400_000;

/** What holds of rows and objects that do not agree, wherever the objects lie. */
export function describeStock(makePlace: MakePlace): void {
  let database: TestDatabase;
  let folder: string;
  let place: BackupPlace;
  let storage: ObjectStorage;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'derms-stock-'));
    place = await makePlace(folder);
    ({ storage } = place);
  });
  beforeEach(async () => {
    database = await createTestDatabase();
  });
  afterEach(async () => {
    await database.drop();
    for (const key of await keysIn(storage)) await storage.remove(key);
  });
  afterAll(async () => {
    await place.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const vault = () => ({ storage, keyRing });
  const ports = () => ({ ...vault(), catalogue: backupCatalogue(database.db) });
  const rows = async () =>
    (await listBackups(database.db, { kind: null, state: null, before: null, limit: 50 })).map(
      ({ takenAt, state }) => `${takenAt.slice(0, 10)} ${state}`,
    );
  const pass = (backupId: string) =>
    ports().catalogue.addCheck({ backupId, kind: 'verification', runId: randomUUID(), verdict: 'passed', details: {} });
  const age = (key: string, storedAt: string): void => {
    place.age(key, storedAt);
  };
  const inStorage = (): Promise<string[]> => keysIn(storage);

  describe('backups whose rows were lost with the database', () => {
    it('have rows again, newest proven first to be looked at, and none of them counts as proven', async () => {
      for (const night of NIGHTS) await stockDump(vault(), night);
      expect((await adoptBackups(ports(), 'dump', { dryRun: true })).adopted).toHaveLength(3);
      expect(await rows()).toEqual([]);
      await adoptBackups(ports(), 'dump');
      expect(await rows()).toEqual(['2026-11-03 stored', '2026-11-02 stored', '2026-11-01 stored']);
      const [next] = await ports().catalogue.toCheck('dump', 1);
      expect(next?.takenAt).toBe('2026-11-03T02:15:00.000000Z');
      expect((await adoptBackups(ports(), 'dump')).adopted).toEqual([]);
    });

    it('keep the rows and proofs that the restored database still has', async () => {
      const known = await stockDump(vault(), FIRST);
      await adoptBackups(ports(), 'dump');
      await pass(known.backupId);
      await stockDump(vault(), SECOND);
      await adoptBackups(ports(), 'dump');
      expect(await rows()).toEqual(['2026-11-02 stored', '2026-11-01 verified']);
    });

    it('are adopted by the next run when the first was killed in the middle', async () => {
      for (const night of NIGHTS) await stockDump(vault(), night);
      const { catalogue } = ports();
      let added = 0;
      const dying = {
        ...catalogue,
        add: (backup: Parameters<typeof catalogue.add>[0]) =>
          (added += 1) === 2 ? Promise.reject(new Error('killed')) : catalogue.add(backup),
      };
      await expect(adoptBackups({ ...ports(), catalogue: dying }, 'dump')).rejects.toThrow('killed');
      expect(await rows()).toHaveLength(1);
      await adoptBackups(ports(), 'dump');
      expect(await rows()).toHaveLength(3);
    });
  });

  describe('what lies in storage and is no backup', () => {
    it('is shown with its reason and never adopted: forged, signed with an unknown key, no manifest at all, cut', async () => {
      const forged = await stockDump(vault(), FIRST);
      const key = manifestKeyOf(forged.object.key);
      const changed = (await read(place, key)).toString().replace('"development"', '"production"');
      await place.write(key, Buffer.from(changed));
      const foreign = await stockDump({ storage, keyRing: parseKeyRing(newKeyEntry('other')) }, SECOND);
      const cut = await stockDump(vault(), THIRD);
      await place.write(cut.object.key, Buffer.from('wha'));
      const nonsense = await stockDump(vault(), '2026-11-04T02:15:00.000Z');
      await place.write(manifestKeyOf(nonsense.object.key), Buffer.from('{}'));

      const { adopted, untrusted } = await adoptBackups(ports(), 'dump');
      expect(adopted).toEqual([]);
      expect(untrusted).toEqual([
        { key: nonsense.object.key, why: expect.stringContaining('cannot be read') },
        { key: cut.object.key, why: 'it has 3 bytes, its manifest says 20' },
        { key: foreign.object.key, why: 'its manifest is signed with a key that is not in the ring' },
        { key: forged.object.key, why: 'its manifest was not written by a holder of its key' },
      ]);
      expect(await rows()).toEqual([]);
    });

    it('is told apart: content without manifest, manifest without content, rows without either', async () => {
      const content = await stockDump(vault(), FIRST, { manifest: false });
      const manifest = await stockDump(vault(), SECOND, { content: false });
      const gone = await stockDump(vault(), THIRD);
      await adoptBackups(ports(), 'dump');
      await storage.remove(manifestKeyOf(gone.object.key));
      await storage.remove(gone.object.key);
      expect(await adoptBackups(ports(), 'dump')).toEqual({
        adopted: [],
        gone: [{ backupId: gone.backupId, key: gone.object.key }],
        withoutManifest: [content.object.key],
        withoutObject: [manifest.object.key],
        untrusted: [],
      });
    });
  });

  describe('halves of backups that were never finished', () => {
    const rule = { keepMs: 30 * DAY_MS, leastDaily: 7, leastWeekly: 4, leastNewest: 1 };
    const retain = (dryRun = false) =>
      retainBackups(ports(), { kind: 'dump', jobName: 'db-backup', rule, nowMs: NOW_MS, dryRun });
    const halves = async (): Promise<string[]> => {
      const content = await stockDump(vault(), FIRST, { manifest: false });
      const manifest = await stockDump(vault(), SECOND, { content: false });
      age(content.object.key, FIRST);
      age(manifestKeyOf(manifest.object.key), SECOND);
      return [content.object.key, manifest.object.key];
    };

    it('are swept when they are a week old and a newer backup is proven, which is named; a dry run only tells', async () => {
      const keys = await halves();
      const newest = await stockDump(vault(), THIRD);
      await adoptBackups(ports(), 'dump');
      const checkId = await pass(newest.backupId);
      const because = { backupId: newest.backupId, checkId };
      const told = await retain(true);
      expect(told.swept).toEqual(keys.map((key) => ({ key, because })));
      expect(await inStorage()).toHaveLength(4);
      expect(await retain()).toEqual(told);
      expect(await inStorage()).toEqual([newest.object.key, manifestKeyOf(newest.object.key)]);
    });

    it('stay while they may be all there is: no backup, none proven, or all of those older', async () => {
      await halves();
      expect((await retain()).swept).toEqual([]);
      const older = await stockDump(vault(), '2026-10-01T02:15:00.000Z');
      await adoptBackups(ports(), 'dump');
      expect((await retain()).swept).toEqual([]);
      await pass(older.backupId);
      expect((await retain()).swept).toEqual([]);
      expect(await inStorage()).toHaveLength(4);
    });

    it('stay while they are young, while a row knows them, and when nobody can trust them', async () => {
      const young = await stockDump(vault(), FIRST, { manifest: false });
      age(young.object.key, '2026-11-14T03:00:00Z');
      const lost = await stockDump(vault(), SECOND);
      const foreign = await stockDump(
        { storage, keyRing: parseKeyRing(newKeyEntry('other')) },
        '2026-11-04T02:15:00.000Z',
        {
          content: false,
        },
      );
      const newest = await stockDump(vault(), '2026-11-18T02:15:00.000Z');
      await adoptBackups(ports(), 'dump');
      await pass(newest.backupId);
      await storage.remove(manifestKeyOf(lost.object.key));
      age(lost.object.key, SECOND);
      age(manifestKeyOf(foreign.object.key), '2026-11-04T02:15:00Z');
      expect((await retain()).swept).toEqual([]);
      expect(await inStorage()).toHaveLength(5);
    });
  });

  describe('a restored database compared with storage', () => {
    it('has the forgotten backups on record again, and closes the rows of those that were let go since', async () => {
      const source = await stockDump(vault(), SECOND);
      const letGo = await stockDump(vault(), FIRST);
      await ports().catalogue.add({
        ...{ backupId: letGo.backupId, kind: 'dump', key: letGo.object.key, runId: letGo.runId, takenAtMs: 0 },
        ...{ storedBytes: 20, manifest: letGo },
      });
      await storage.remove(manifestKeyOf(letGo.object.key));
      await storage.remove(letGo.object.key);
      const reconcile = (apply: boolean) => reconcileBackups(ports(), { restoredFrom: source.backupId, apply });
      const told = (findings: Awaited<ReturnType<typeof reconcile>>) =>
        findings.map(({ outcome, kind, subject }) => `${outcome} ${kind} ${subject}`);

      expect(told(await reconcile(false))).toEqual([
        `would backup-unknown ${source.object.key}`,
        `would backup-gone ${letGo.object.key}`,
      ]);
      expect(told(await reconcile(true))).toEqual([
        `done backup-unknown ${source.object.key}`,
        `done backup-gone ${letGo.object.key}`,
      ]);
      expect(await rows()).toEqual(['2026-11-02 stored', '1970-01-01 deleted']);
      expect(await reconcile(true)).toEqual([]);
    });

    it('is not compared with a storage that does not hold the backup it was restored from', async () => {
      const known = await stockDump(vault(), FIRST);
      await adoptBackups(ports(), 'dump');
      await storage.remove(known.object.key);
      const reconciled = reconcileBackups(ports(), { restoredFrom: known.backupId, apply: true });
      await expect(reconciled).rejects.toThrow('is BACKUP_STORAGE that of the restore?');
      expect(await rows()).toEqual(['2026-11-01 stored']);
    });
  });
}
