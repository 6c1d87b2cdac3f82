import fc from 'fast-check';
import { StoreFault } from '../../../../backups/mqtt/store-fault';
import { StoreWalker, walkStore, type StoreStructure } from '../../../../backups/mqtt/store-structure';
import { chunk, configuration, message, queued, retained, session, storeBytes, subscription } from './store-bytes';

const walk = (bytes: Uint8Array, expectedBytes?: number): StoreStructure => {
  const walker = new StoreWalker();
  walker.push(bytes);
  return walker.end(expectedBytes);
};
const faultOf = (bytes: Uint8Array, expectedBytes?: number): StoreFault => {
  try {
    walk(bytes, expectedBytes);
  } catch (error) {
    if (error instanceof StoreFault) return error;
    throw error;
  }
  throw new Error('nothing was found');
};

const chunks = [
  configuration(),
  message({ id: 1, topic: 'der/setpoints/pv/pv-1' }),
  message({ id: 2, expiresAt: 1_800_000_000, properties: Buffer.from([4, 0x26, 0, 0, 0]) }),
  message({ id: 3, topic: '$plant/x' }),
  session('ingest'),
  queued('ingest', 2),
  queued('ingest', 1, { state: 9 }),
  queued('ingest', 1, { direction: 0 }),
  subscription('ingest'),
  retained(1),
  retained(2),
  retained(3),
];
const store = storeBytes(6, ...chunks);
const boundaries = chunks.reduce<number[]>((ends, part) => [...ends, (ends.at(-1) ?? 23) + part.length], []);

describe('the structure of a broker store', () => {
  it('is counted, with when messages and sessions expire', () => {
    expect(walk(store)).toEqual({
      counts: {
        bytes: 445,
        dbVersion: 6,
        messages: 3,
        retained: 3,
        sessions: 1,
        queued: 3,
        subscriptions: 1,
        unowned: 0,
      },
      retainedExpiries: [Infinity, 1_800_000_000, Infinity],
      systemRoots: ['$plant'],
      sessions: [{ clientId: 'ingest', username: null, expiresAt: Infinity, waiting: [1_800_000_000] }],
    });
  });

  it('is the same in version 5, whose sessions have no user name', () => {
    const older = storeBytes(5, configuration(), session('ingest', 5), message({ id: 1 }), retained(1));
    expect(walk(older).counts).toMatchObject({ dbVersion: 5, retained: 1, sessions: 1 });
  });

  it('is read the same whatever pieces it arrives in', async () => {
    const whole = walk(store);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }), async (sizes) => {
        const pieces: Buffer[] = [];
        for (let from = 0, n = 0; from < store.length; n += 1) {
          const size = sizes[n % sizes.length] ?? 1;
          pieces.push(store.subarray(from, from + size));
          from += size;
        }
        expect(await walkStore(pieces)).toEqual(whole);
      }),
    );
  });

  it('counts messages that nothing refers to', () => {
    expect(walk(storeBytes(6, configuration(), message({ id: 1 }))).counts.unowned).toBe(1);
  });
});

describe('a copy that is not whole', () => {
  it('is found at every cut that is not between two chunks', () => {
    for (let length = 0; length < store.length; length += 1) {
      if (boundaries.includes(length)) continue;
      expect(faultOf(store.subarray(0, length)).reason).toBe(length === 0 ? 'empty' : 'cut');
    }
  });

  it('is found at every cut when the size is known', () => {
    for (let length = 1; length < store.length; length += 1) {
      expect(faultOf(store.subarray(0, length), store.length).reason).toBe('cut');
    }
  });

  it('is found when its tail is zero bytes, wherever they begin', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: store.length - 1 }), (from) => {
        const zeroed = Buffer.from(store);
        zeroed.fill(0, from);
        if (!zeroed.equals(store)) expect(faultOf(zeroed, store.length)).toBeInstanceOf(StoreFault);
      }),
    );
  });

  it.each`
    what                                      | bytes                                                                                  | reason               | offset
    ${'an empty file'}                        | ${Buffer.alloc(0)}                                                                     | ${'empty'}           | ${0}
    ${'zero bytes'}                           | ${Buffer.alloc(4_096)}                                                                 | ${'zeroed'}          | ${0}
    ${'another file'}                         | ${Buffer.from('listener 1883 127.0.0.1\n')}                                            | ${'not-a-store'}     | ${0}
    ${'a version that is not known'}          | ${storeBytes(4, configuration())}                                                      | ${'unknown-version'} | ${19}
    ${'a store without configuration'}        | ${storeBytes(6)}                                                                       | ${'cut'}             | ${23}
    ${'a message before the configuration'}   | ${storeBytes(6, message({ id: 1 }))}                                                   | ${'damaged'}         | ${23}
    ${'zero bytes after the last chunk'}      | ${Buffer.concat([store, Buffer.alloc(16)])}                                            | ${'zeroed'}          | ${445}
    ${'text after the last chunk'}            | ${Buffer.concat([store, Buffer.from('rubbish at the end')])}                           | ${'damaged'}         | ${445}
    ${'a chunk that is too long to be one'}   | ${storeBytes(6, configuration(), Buffer.from('00000004ffffffff', 'hex'))}              | ${'damaged'}         | ${47}
    ${'a chunk that is too short'}            | ${storeBytes(6, configuration(), chunk(2, Buffer.alloc(8)))}                           | ${'damaged'}         | ${47}
    ${'lengths that do not agree'}            | ${storeBytes(6, configuration(), chunk(4, Buffer.alloc(9)))}                           | ${'damaged'}         | ${47}
    ${'properties of another length'}         | ${storeBytes(6, configuration(), message({ id: 1, properties: Buffer.from([4, 0]) }))} | ${'damaged'}         | ${47}
    ${'a message that is there twice'}        | ${storeBytes(6, configuration(), message({ id: 1 }), message({ id: 1 }))}              | ${'damaged'}         | ${102}
    ${'a retained message that is not there'} | ${storeBytes(6, configuration(), retained(1))}                                         | ${'damaged'}         | ${47}
    ${'a queue of a client without session'}  | ${storeBytes(6, configuration(), message({ id: 1 }), queued('x', 1))}                  | ${'damaged'}         | ${102}
    ${'a subscription without session'}       | ${storeBytes(6, configuration(), subscription('x'))}                                   | ${'damaged'}         | ${47}
  `('is found and named: $what', ({ bytes, reason, offset }: { bytes: Buffer; reason: string; offset: number }) => {
    const fault = faultOf(bytes);
    expect([fault.reason, fault.offset]).toEqual([reason, offset]);
  });

  it('says where and what', () => {
    expect(faultOf(store.subarray(0, 100)).message).toBe(
      "the broker's store is cut short (byte 47): it ends after 100 bytes, in the middle of what begins here",
    );
  });

  it('never makes the walk fail in another way, nor hang', () => {
    fc.assert(
      fc.property(fc.nat(store.length - 1), fc.integer({ min: 0, max: 255 }), (at, value) => {
        const changed = Buffer.from(store);
        changed[at] = value;
        try {
          walk(changed, store.length);
        } catch (error) {
          expect(error).toBeInstanceOf(StoreFault);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
