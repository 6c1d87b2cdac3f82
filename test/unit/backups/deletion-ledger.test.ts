import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LEDGER, readDeletions, storeDeletions } from '../../../backups/deletions/ledger';
import type { Deletion } from '../../../domain/deletion';
import { createDirectoryStorage } from '../../../storage/directory';
import { keyRing } from '../../support/keys';

const NOW = new Date();
const AN_HOUR_AGO = new Date(NOW.getTime() - 3_600_000);
const IN_A_DAY = new Date(NOW.getTime() + 86_400_000);
const GONE: readonly Deletion[] = [
  { kind: 'device', subject: 'ev-of-somebody', deletedAt: '2026-11-25T02:15:00.123456Z' },
  { kind: 'feeder', subject: 'north', deletedAt: '2026-11-25T02:15:01.000001Z' },
];

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'derms-ledger-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});
const vault = (keys = keyRing('k1')) => ({ storage: createDirectoryStorage(folder), keyRing: keys });
const keysOf = async (): Promise<string[]> => {
  const keys: string[] = [];
  for await (const { key } of vault().storage.list(LEDGER)) keys.push(key);
  return keys;
};

describe('the ledger of deletions', () => {
  it('gives back to the microsecond what it was told, page after page, and an older backup needs all of it', async () => {
    await storeDeletions(vault(), GONE.slice(0, 1), AN_HOUR_AGO);
    await storeDeletions(vault(), GONE.slice(1), NOW);
    expect(await readDeletions(vault(), AN_HOUR_AGO)).toEqual({ deletions: GONE, unreadable: [] });
  });

  it('says nothing to a backup that was made long after', async () => {
    await storeDeletions(vault(), GONE, NOW);
    expect(await readDeletions(vault(), IN_A_DAY)).toEqual({ deletions: [], unreadable: [] });
  });

  it('shows nobody without the key who was deleted', async () => {
    await storeDeletions(vault(), GONE, NOW);
    const [key = ''] = await keysOf();
    expect(readFileSync(join(folder, key)).includes('somebody')).toBe(false);
  });

  it('names a page that cannot be read, and reads the others', async () => {
    await storeDeletions(vault(), GONE.slice(0, 1), AN_HOUR_AGO);
    const [damaged = ''] = await keysOf();
    await storeDeletions(vault(), GONE.slice(1), NOW);
    const bytes = readFileSync(join(folder, damaged));
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 20) ^ 1, bytes.length - 20);
    writeFileSync(join(folder, damaged), bytes);
    const { deletions, unreadable } = await readDeletions(vault(), AN_HOUR_AGO);
    expect(deletions).toEqual(GONE.slice(1));
    expect(unreadable).toEqual([{ key: damaged, why: expect.any(String) }]);
  });
});
