import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { retainCopies } from '../../../../backups/mqtt/retain-copies';
import { createDirectoryStorage } from '../../../../storage/directory';
import type { ObjectStorage } from '../../../../storage/port';
import { StorageError } from '../../../../storage/storage-error';

const NOW_MS = Date.now();
const DAY_MS = 86_400_000;
let root: string;
let storage: ObjectStorage;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'derms-test-retain-'));
  storage = createDirectoryStorage(root);
});
afterEach(() => rmSync(root, { recursive: true }));

const put = (broker: string, name: string, daysOld: number, isProven = true): void => {
  const folder = join(root, 'mqtt-backup', broker);
  mkdirSync(folder, { recursive: true });
  for (const file of isProven ? [name, `${name}.manifest.json`] : [name]) {
    writeFileSync(join(folder, file), 'x');
    const at = (NOW_MS - daysOld * DAY_MS) / 1000;
    utimesSync(join(folder, file), at, at);
  }
};
const left = (broker: string): string[] => readdirSync(join(root, 'mqtt-backup', broker)).sort();
const retain = (dryRun = false, store = storage) => retainCopies(store, 'a', { nowMs: NOW_MS, keepDays: 14, dryRun });

describe('copies of a broker store', () => {
  it('are removed with their manifests when they are past their time, of this broker only', async () => {
    put('a', 'old.db', 15);
    put('a', 'unproven.db', 16, false);
    put('a', 'new.db', 1);
    put('b', 'old.db', 100);
    const because = 'mqtt-backup/a/new.db';
    expect(await retain()).toEqual({
      kept: 1,
      removed: [
        { id: 'mqtt-backup/a/old.db', because },
        { id: 'mqtt-backup/a/unproven.db', because },
      ],
      locked: [],
    });
    expect(left('a')).toEqual(['new.db', 'new.db.manifest.json']);
    expect(left('b')).toEqual(['old.db', 'old.db.manifest.json']);
  });

  it('are listed and left by a dry run', async () => {
    put('a', 'old.db', 15);
    put('a', 'new.db', 1);
    expect((await retain(true)).removed).toHaveLength(1);
    expect(left('a')).toHaveLength(4);
  });

  it('are all left when the newest has no manifest: it is not proven', async () => {
    put('a', 'old.db', 15);
    put('a', 'good.db', 14.5);
    put('a', 'new.db', 1, false);
    expect(await retain()).toMatchObject({ kept: 3, removed: [] });
  });

  it('are named when the store holds them under lock', async () => {
    put('a', 'old.db', 15);
    put('a', 'new.db', 1);
    const locked: ObjectStorage = {
      ...storage,
      remove: () => Promise.reject(new StorageError('locked', 'object lock')),
    };
    expect(await retain(false, locked)).toEqual({ kept: 2, removed: [], locked: ['mqtt-backup/a/old.db'] });
  });
});
