import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrokerStore } from '../../../../backups/mqtt/broker-store';
import { copyStore, type StoreCopy } from '../../../../backups/mqtt/copy-store';
import { proveCopy, type ProofPorts } from '../../../../backups/mqtt/prove-copy';
import { withScratchBroker } from '../../../../backups/mqtt/scratch-broker';
import { walkStore } from '../../../../backups/mqtt/store-structure';
import { readToolchain } from '../../../../local/toolchain';
import { createDirectoryStorage } from '../../../../storage/directory';
import { encrypt } from '../../../../storage/encryption/encrypt';
import { newKeyEntry, parseKeyRing } from '../../../../storage/encryption/key-ring';
import { furnish, startFurnishedBroker, type FurnishedBroker } from './furnished-broker';

const folder = mkdtempSync(join(tmpdir(), 'derms-test-proof-'));
const storage = createDirectoryStorage(join(folder, 'objects'));
const keyRing = parseKeyRing(newKeyEntry('test'));
const scratchRoot = mkdtempSync(join(tmpdir(), 'derms-test-scratch-'));
const ports: ProofPorts = { storage, keyRing, mosquitto: readToolchain().mosquitto, scratchRoot };
const never = new AbortController().signal;
const faulty = (message: RegExp): object => ({
  code: 'BROKER_STORE_FAULTY',
  message: expect.stringMatching(message),
});

afterAll(() => {
  rmSync(folder, { recursive: true });
  rmSync(scratchRoot, { recursive: true });
});

describe('a copy of a broker store', () => {
  let broker: FurnishedBroker;
  let copy: StoreCopy;
  let bytes: Buffer;

  beforeAll(async () => {
    broker = await startFurnishedBroker();
    const { stay } = await furnish(broker, 1_000);
    await stay.publishAsync('$plant/state', 'running', { qos: 1, retain: true });
    copy = await copyStore({ store: broker.store, storage, keyRing }, 'run-1');
    bytes = await contentOf(broker.store);
    await stay.endAsync();
  });
  afterAll(() => broker.remove());
  afterEach(() => {
    expect(readdirSync(scratchRoot)).toEqual([]);
  });

  it('says what it holds and lies encrypted under a name with its time', async () => {
    expect(copy).toMatchObject({ broker: 'local', keyId: 'test', bytes: bytes.length });
    expect(copy.counts).toMatchObject({ retained: 1_002, sessions: 5, queued: 200 });
    expect(copy.key).toMatch(/^mqtt-backup\/local\/\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ-run-1\.db$/);
    expect((await contentOf({ read: () => storedBytes(copy.key) })).includes('der/setpoints')).toBe(false);
  });

  it('is proven by a broker that shows its retained messages, sessions of both protocols, and what waits for them', async () => {
    const proof = await proveCopy(ports, copy, never);
    expect(proof).toMatchObject({ retained: 1_002, sessions: 5, resumed: 5, delivered: 200 });
  });

  it('is refused when it was changed in storage, or is encrypted with a key that is gone', async () => {
    const other = { ...ports, keyRing: parseKeyRing(newKeyEntry('other')) };
    await expect(proveCopy(other, copy, never)).rejects.toMatchObject({ code: 'BACKUP_UNREADABLE' });
    const flipped = await contentOf({ read: () => storedBytes(copy.key) });
    flipped[flipped.length - 100]! ^= 1;
    await storage.put('flipped', pieces(flipped));
    await expect(proveCopy(ports, { ...copy, key: 'flipped' }, never)).rejects.toMatchObject({
      code: 'BACKUP_UNREADABLE',
    });
  });

  it('is refused when one payload bit differs from what was read, which Mosquitto accepts without a word', async () => {
    const changed = Buffer.from(bytes);
    changed[changed.indexOf('{"n":7}') + 5]! ^= 1;
    await walkStore([changed]);
    await expect(proveCopy(ports, await stored(changed), never)).rejects.toMatchObject(faulty(/sha256 differs/));
  });

  it('is refused when it is cut between two chunks, which Mosquitto accepts as well', async () => {
    const cut = withoutLastChunk(bytes);
    const lost = await stored(cut);
    await expect(proveCopy(ports, lost, never)).rejects.toMatchObject(faulty(/cut short/));
    // Of a store that is really like this, it is a sound copy.
    const honest = { ...lost, ...factsOf(cut) };
    await expect(proveCopy(ports, honest, never)).resolves.toMatchObject({ retained: 1_001 });
  });

  it('is given up when the run is cancelled, and leaves neither folder nor broker', async () => {
    const cancel = new AbortController();
    setTimeout(() => {
      cancel.abort(new Error('cancelled'));
    }, 700);
    await expect(proveCopy(ports, copy, cancel.signal)).rejects.toThrow();
  });

  const stored = async (content: Buffer): Promise<StoreCopy> => {
    const key = `made/${randomBytes(4).toString('hex')}`;
    await storage.put(key, encrypt(pieces(content), keyRing, key));
    return { ...copy, key };
  };
});

describe('a copy that is not whole', () => {
  const source = (content: Buffer): BrokerStore => ({
    name: 'faulty',
    description: 'bytes of a test',
    save: async () => ({ bytes: content.length, savedAtMs: 0, version: '1' }),
    read: () => pieces(content),
  });
  let whole: Buffer;

  beforeAll(async () => {
    const broker = await startFurnishedBroker();
    const { stay } = await furnish(broker, 100);
    await broker.store.save();
    whole = await contentOf(broker.store);
    await stay.endAsync();
    await broker.remove();
  });

  it.each([
    ['of 0 bytes', () => Buffer.alloc(0), /empty/],
    ['cut in half', () => whole.subarray(0, Math.floor(whole.length / 2)), /cut short/],
    ['all zero bytes', () => Buffer.alloc(whole.length), /zero bytes/],
    [
      'of which the end is zero bytes',
      () => Buffer.concat([whole.subarray(0, -500), Buffer.alloc(500)]),
      /faulty|zero|damaged/,
    ],
  ])('pitfall: is not even stored: one %s', async (_what, content, message) => {
    await expect(copyStore({ store: source(content()), storage, keyRing }, 'run-2')).rejects.toMatchObject(
      faulty(message),
    );
    const left = [];
    for await (const { key } of storage.list('mqtt-backup/faulty/')) left.push(key);
    expect(left).toEqual([]);
  });

  it('is what Mosquitto refuses to start on as well, where it does', async () => {
    const boot = (content: Buffer): Promise<string> =>
      withScratchBroker(
        { mosquitto: ports.mosquitto, root: scratchRoot },
        async (file) => {
          writeFileSync(file, content);
        },
        async () => 'started',
      );
    await expect(boot(Buffer.alloc(whole.length))).rejects.toMatchObject(faulty(/does not start on the copy/));
    await expect(boot(whole.subarray(0, whole.length / 2))).rejects.toMatchObject(faulty(/does not start on the copy/));
    // Of these it makes nothing: only our walk finds them.
    await expect(boot(Buffer.alloc(0))).resolves.toBe('started');
    expect(readdirSync(scratchRoot)).toEqual([]);
  });
});

async function* pieces(content: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += 10_000) yield content.subarray(at, at + 10_000);
}

async function* storedBytes(key: string): AsyncGenerator<Uint8Array> {
  yield* await storage.get(key);
}

async function contentOf({ read }: Pick<BrokerStore, 'read'>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of read()) all.push(piece);
  return Buffer.concat(all);
}

function withoutLastChunk(bytes: Buffer): Buffer {
  let last = 23;
  for (let at = 23; at < bytes.length;) {
    last = at;
    at += 8 + bytes.readUInt32BE(at + 4);
  }
  return bytes.subarray(0, last);
}

const factsOf = (bytes: Buffer): Pick<StoreCopy, 'bytes' | 'sha256'> => ({
  bytes: bytes.length,
  sha256: createHash('sha256').update(bytes).digest('hex'),
});
