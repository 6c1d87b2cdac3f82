import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDirectoryStorage } from '../../../storage/directory';
import { collect, inChunks, pattern } from '../../support/chunks';
import { describeObjectStorage } from '../../support/object-storage-cases';

const root = mkdtempSync(join(tmpdir(), 'derms storage '));
const folder = join(root, 'made', 'by the first put');
const storage = createDirectoryStorage(folder);
const files = (path = folder): string[] => readdirSync(path, { recursive: true, encoding: 'utf8' }).sort();

afterAll(() => {
  rmSync(root, { recursive: true });
});

describe('a directory', () => {
  it('is empty before anything was put into it', async () => {
    await expect(storage.list('')[Symbol.asyncIterator]().next()).resolves.toMatchObject({ done: true });
    await expect(storage.sweepParts(0)).resolves.toBe(0);
    await expect(storage.head('a')).resolves.toBeNull();
  });

  describeObjectStorage(() => storage);

  it('is named with its path', () => {
    expect(storage.description).toBe(`directory ${folder}`);
  });

  it('keeps everybody else out', async () => {
    await storage.put('modes/deep/object', inChunks(Buffer.from('x')));
    const modes = ['', 'modes', 'modes/deep', '.parts', 'modes/deep/object'].map((name) =>
      (statSync(join(folder, name)).mode & 0o777).toString(8),
    );
    expect(modes).toEqual(['700', '700', '700', '700', '600']);
  });

  it('leaves no empty folders behind what was removed', async () => {
    await storage.put('branch/twig/leaf', inChunks(Buffer.from('x')));
    await storage.put('branch/other', inChunks(Buffer.from('x')));
    await storage.remove('branch/twig/leaf');
    expect(files(join(folder, 'branch'))).toEqual(['other']);
    await storage.remove('branch/other');
    expect(files()).not.toContain('branch');
  });

  it('stores into a folder that another removes at the same moment', async () => {
    await Promise.all(
      Array.from({ length: 50 }, async (_, turn) => {
        await storage.put(`busy/folder/${String(turn)}`, inChunks(Buffer.from('x')));
        await storage.remove(`busy/folder/${String(turn)}`);
      }),
    );
    expect(files()).not.toContain('busy');
  });

  it('removes parts that are older than it was told, and no others', async () => {
    const parts = join(folder, '.parts');
    for (const name of ['old.part', 'young.part']) writeFileSync(join(parts, name), 'x');
    const hourAgo = Date.now() / 1000 - 3_600;
    utimesSync(join(parts, 'old.part'), hourAgo, hourAgo);
    await expect(storage.sweepParts(1_800_000)).resolves.toBe(1);
    expect(files(parts)).toEqual(['young.part']);
    await storage.sweepParts(-1_000);
  });

  it('notices a file that was cut while it was read', async () => {
    await storage.put('cut', inChunks(pattern(3 * 1024 ** 2)));
    const reading = (async () => {
      for await (const chunk of await storage.get('cut')) {
        if (chunk.byteLength > 0) truncateSync(join(folder, 'cut'), 2 * 1024 ** 2);
      }
    })();
    await expect(reading).rejects.toMatchObject({
      reason: 'damaged',
      message: 'cut ended after 2097152 of 3145728 bytes',
    });
  });

  it('says that a file is in the way of a folder, and not that the object exists', async () => {
    await storage.put('file', inChunks(Buffer.from('x')));
    await expect(storage.put('file/below', inChunks(Buffer.from('x')))).rejects.toMatchObject({ reason: 'denied' });
    await expect(storage.head('file/below')).resolves.toBeNull();
  });

  describe('whose disk fills up', () => {
    let handle: FileHandle;
    beforeAll(async () => {
      const file = await open(join(root, 'any'), 'w');
      handle = Object.getPrototypeOf(file) as FileHandle;
      await file.close();
    });
    afterEach(() => {
      jest.restoreAllMocks();
    });

    it('says so, and leaves nothing', async () => {
      const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
      jest.spyOn(handle, 'writev').mockRejectedValue(full);
      const refused = storage.put('full', inChunks(pattern(100)));
      await expect(refused).rejects.toMatchObject({ reason: 'full', code: 'STORAGE_UNAVAILABLE' });
      jest.restoreAllMocks();
      await expect(storage.head('full')).resolves.toBeNull();
      await expect(storage.sweepParts(-1_000)).resolves.toBe(0);
    });

    it('writes the rest of what it took only in part', async () => {
      const whole = handle.writev;
      jest.spyOn(handle, 'writev').mockImplementation(function (this: FileHandle, [first]) {
        const bytes = new Uint8Array(first!.buffer, first!.byteOffset, Math.ceil(first!.byteLength / 2));
        return whole.call(this, [bytes]);
      });
      await storage.put('partly', inChunks(pattern(100_000), 7_001));
      expect((await collect(await storage.get('partly'))).equals(pattern(100_000))).toBe(true);
    });
  });

  it('has the whole object or none when its process is killed at any moment', async () => {
    const killed = createDirectoryStorage(join(root, 'killed'));
    await killed.put('first', inChunks(Buffer.from('x')));
    for (const afterMs of [0, 3, 10, 30]) {
      const child = spawn(process.execPath, [
        join(__dirname, '../../adapter/broker/run-typescript.cjs'),
        join(__dirname, 'put-for-ever.ts'),
        join(root, 'killed'),
      ]);
      await once(child.stdout, 'data'); // it has begun to store
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      child.kill('SIGKILL');
      await once(child, 'exit');
      for await (const { key, bytes } of killed.list('')) {
        expect([key, bytes]).toEqual(key === 'first' ? ['first', 1] : [key, 20_000_000]);
        if (key !== 'first') expect((await collect(await killed.get(key))).equals(pattern(20_000_000))).toBe(true);
      }
      expect(files(join(root, 'killed', '.parts')).length).toBeLessThanOrEqual(1);
      await killed.sweepParts(-1_000);
      expect(files(join(root, 'killed', '.parts'))).toEqual([]);
    }
  });
});
