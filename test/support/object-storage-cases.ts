import { OF_ANY_AGE, type ObjectStorage } from '../../storage/port';
import { StorageError } from '../../storage/storage-error';
import { collect, inChunks, pattern, sha256 } from './chunks';

const MIB = 1024 ** 2;

/** What every store does, whatever it is made of; `storage` is asked for in each case. */
export function describeObjectStorage(storage: () => ObjectStorage): void {
  const put = (key: string, text: string) => storage().put(key, inChunks(Buffer.from(text)));
  const textOf = async (key: string): Promise<string> => (await collect(await storage().get(key))).toString();
  const keys = async (prefix: string): Promise<string[]> => {
    const found: string[] = [];
    for await (const { key } of storage().list(prefix)) found.push(key);
    return found;
  };

  it.each([0, 1, 5 * MIB - 1, 5 * MIB, 5 * MIB + 1, 40_000_000])(
    'stores %i bytes exactly as they were sent, in odd chunks',
    async (bytes) => {
      const sent = pattern(bytes);
      const key = `sizes/${String(bytes)}`;
      const stored = await storage().put(key, inChunks(sent, 1, 65_521, 130_003, 13, 700_001));
      expect(stored).toMatchObject({ key, bytes });
      expect(Math.abs(Date.now() - stored.storedAtMs)).toBeLessThan(5_000);
      const read = await collect(await storage().get(key));
      expect([read.length, sha256(read)]).toEqual([bytes, sha256(sent)]);
      await expect(storage().head(key)).resolves.toEqual(stored);
    },
  );

  it('tells the bytes as they go, up to all of them', async () => {
    const told: number[] = [];
    await storage().put('progress', inChunks(pattern(12 * MIB), 100_000), { onProgress: (bytes) => told.push(bytes) });
    expect(told.length).toBeGreaterThan(1);
    expect(told).toEqual([...told].sort((a, b) => a - b));
    expect(told.at(-1)).toBe(12 * MIB);
  });

  it('replaces an object, unless it was to be absent', async () => {
    await put('replaced/a', 'first');
    await put('replaced/a', 'second');
    await expect(textOf('replaced/a')).resolves.toBe('second');
    const refused = storage().put('replaced/a', inChunks(Buffer.from('third')), { ifAbsent: true });
    await expect(refused).rejects.toMatchObject({ reason: 'exists', code: 'STORAGE_REFUSED' });
    await expect(textOf('replaced/a')).resolves.toBe('second');
    await storage().put('replaced/b', inChunks(Buffer.from('new')), { ifAbsent: true });
    await expect(textOf('replaced/b')).resolves.toBe('new');
  });

  it('refuses a large object too when it was to be absent, and leaves none of its parts', async () => {
    await put('replaced/large', 'first');
    const refused = storage().put('replaced/large', inChunks(pattern(11 * MIB), MIB), { ifAbsent: true });
    await expect(refused).rejects.toMatchObject({ reason: 'exists' });
    await expect(textOf('replaced/large')).resolves.toBe('first');
    await expect(storage().sweepParts(-60_000)).resolves.toBe(0);
  });

  it('lets one of two win that store what was to be absent at once', async () => {
    const outcomes = await Promise.allSettled(
      ['one', 'two'].map((text) => storage().put('race', inChunks(Buffer.from(text)), { ifAbsent: true })),
    );
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  it('lists by prefix, in the order of keys', async () => {
    for (const key of ['list/b/2', 'list/a.txt', 'list/a/1', 'list/a0', 'list/b/10', 'other']) await put(key, key);
    await expect(keys('list/')).resolves.toEqual(['list/a.txt', 'list/a/1', 'list/a0', 'list/b/10', 'list/b/2']);
    await expect(keys('list/b/1')).resolves.toEqual(['list/b/10']);
    await expect(keys('list/nothing')).resolves.toEqual([]);
  });

  it('says what is not there', async () => {
    await expect(storage().head('not/there')).resolves.toBeNull();
    await expect(storage().get('not/there')).rejects.toMatchObject({ reason: 'missing' });
    await expect(storage().get('not/there')).rejects.toBeInstanceOf(StorageError);
  });

  it('removes an object, and does not mind when there is none', async () => {
    await put('removed/a/b', 'x');
    await storage().remove('removed/a/b');
    await expect(storage().head('removed/a/b')).resolves.toBeNull();
    await storage().remove('removed/a/b');
    await put('removed/a/b', 'again');
    await expect(textOf('removed/a/b')).resolves.toBe('again');
  });

  it.each([
    '',
    '/absolute',
    'a//b',
    'a/',
    '../up',
    'a/../../up',
    'a/./b',
    '.hidden',
    'a/.parts',
    'a\\b',
    'a b',
    'ä',
    'a\0b',
  ])('refuses the key %j', async (key) => {
    await expect(storage().put(key, inChunks(Buffer.from('x')))).rejects.toMatchObject({ reason: 'denied' });
    await expect(Promise.resolve().then(() => storage().head(key))).rejects.toMatchObject({ reason: 'denied' });
  });

  it('removes what is not finished below a prefix, however young, and nothing else', async () => {
    const ended = new AbortController();
    const putting = ['swept/a/1', 'swept/a/2', 'swept/b'].map(async (key) => {
      const unfinished = (async function* () {
        yield* inChunks(pattern(12 * MIB), MIB);
        await new Promise((resolve) => ended.signal.addEventListener('abort', resolve));
      })();
      await storage().put(key, unfinished);
    });
    const outcomes = Promise.allSettled(putting);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    await expect(storage().sweepParts(OF_ANY_AGE, 'swept/a/1')).resolves.toBe(1);
    await expect(storage().sweepParts(OF_ANY_AGE, 'swept/a/')).resolves.toBe(1);
    ended.abort();
    expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled']);
    await expect(keys('swept/')).resolves.toEqual(['swept/b']);
    await expect(storage().sweepParts(OF_ANY_AGE)).resolves.toBe(0);
  });

  it.each([1 * MIB, 23 * MIB])('stores nothing when its content fails after %i bytes', async (bytes) => {
    const failing = (async function* () {
      yield* inChunks(pattern(bytes), 500_000);
      throw new Error('pg_dump ended with 1');
    })();
    await expect(storage().put('failed', failing)).rejects.toThrow('pg_dump ended with 1');
    await expect(storage().head('failed')).resolves.toBeNull();
    await expect(storage().sweepParts(-60_000)).resolves.toBe(0);
  });

  it.each([1 * MIB, 23 * MIB])(
    'stores nothing when it is aborted after %i bytes, also while its content is silent',
    async (bytes) => {
      const aborting = new AbortController();
      const reason = new Error('cancelled by an operator');
      let ended = false;
      const silent = (async function* () {
        try {
          yield* inChunks(pattern(bytes), 500_000);
          setTimeout(() => aborting.abort(reason), 100);
          await new Promise((resolve) => setTimeout(resolve, 2_000));
          yield Buffer.from('too late');
        } finally {
          ended = true;
        }
      })();
      const began = performance.now();
      await expect(storage().put('aborted', silent, { signal: aborting.signal })).rejects.toBe(reason);
      expect(performance.now() - began).toBeLessThan(2_000);
      await expect(storage().head('aborted')).resolves.toBeNull();
      await expect(storage().sweepParts(-60_000)).resolves.toBe(0);
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      expect(ended).toBe(true);
      await expect(storage().head('aborted')).resolves.toBeNull();
    },
  );

  it('stores nothing when it was aborted before', async () => {
    const signal = AbortSignal.abort(new Error('before'));
    await expect(storage().put('before', inChunks(Buffer.from('x')), { signal })).rejects.toThrow('before');
    await expect(storage().head('before')).resolves.toBeNull();
    await expect(storage().get('sizes/1', { signal })).rejects.toThrow('before');
  });

  it('stops reading when it is aborted, and when nobody wants more', async () => {
    await storage().put('read', inChunks(pattern(8 * MIB), MIB));
    const aborting = new AbortController();
    const reading = (async () => {
      for await (const chunk of await storage().get('read', { signal: aborting.signal })) {
        if (chunk.byteLength > 0) aborting.abort(new Error('enough'));
      }
    })();
    await expect(reading).rejects.toThrow('enough');
    for await (const chunk of await storage().get('read')) if (chunk.byteLength > 0) break;
  });
}
