import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { decrypt } from '../../../../storage/encryption/decrypt';
import type { DecryptionFailure } from '../../../../storage/encryption/decryption-error';
import { encrypt, encryptWith } from '../../../../storage/encryption/encrypt';
import { collect, inChunks, pattern } from '../../../support/chunks';
import { keyEntry, keyRing } from '../../../support/keys';
import { parseKeyRing } from '../../../../storage/encryption/key-ring';

const KEYS = keyRing('k1');
const CONTEXT = 'db/2026-11-25/dump.enc';
const FRAME_BYTES = 64;
const HEAD_BYTES = 13;
const TAG_BYTES = 16;
const WHOLE_FRAME_BYTES = HEAD_BYTES + FRAME_BYTES + TAG_BYTES;
const HEADER_BYTES = 8 + 2 + 2 + 8 + 4 + 12 + 32 + 16 + 32;

/** An object in frames of 64 bytes, so that a few hundred bytes are several of them. */
const sealed = (plain: Buffer, { context = CONTEXT, keys = KEYS } = {}): Promise<Buffer> =>
  collect(
    encryptWith(inChunks(plain, 50), keys, context, {
      dataKey: randomBytes(32),
      nonce: randomBytes(12),
      frameBytes: FRAME_BYTES,
    }),
  );

const opened = (object: Buffer, { context = CONTEXT, keys = KEYS } = {}): Promise<Buffer> =>
  collect(decrypt(inChunks(object, 37), keys, context));

const refused = (object: Buffer, reason: DecryptionFailure, options = {}): Promise<void> =>
  expect(opened(object, options)).rejects.toMatchObject({ code: 'BACKUP_UNREADABLE', reason });

/** Header and frames of an object apart. */
const taken = (object: Buffer): { header: Buffer; frames: Buffer[] } => {
  const frames: Buffer[] = [];
  for (let at = HEADER_BYTES; at < object.length; at += WHOLE_FRAME_BYTES) {
    frames.push(object.subarray(at, at + WHOLE_FRAME_BYTES));
  }
  return { header: object.subarray(0, HEADER_BYTES), frames };
};

describe('encryption', () => {
  it.each([0, 1, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, 10 * FRAME_BYTES])(
    'gives %i bytes back as they were',
    async (bytes) => {
      await expect(opened(await sealed(pattern(bytes)))).resolves.toEqual(pattern(bytes));
    },
  );

  it('gives back what came in any chunks, read in any chunks', async () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1 });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 50_000 }), sizes, sizes, async (bytes, written, read) => {
        const plain = pattern(bytes);
        const secrets = { dataKey: randomBytes(32), nonce: randomBytes(12), frameBytes: 4_096 };
        const object = await collect(encryptWith(inChunks(plain, ...written), KEYS, CONTEXT, secrets));
        expect((await collect(decrypt(inChunks(object, ...read), KEYS, CONTEXT))).equals(plain)).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  it('adds 29 bytes to each MiB and a header once', async () => {
    const object = await collect(encrypt(inChunks(pattern(3 * 1024 ** 2), 65_536), KEYS, CONTEXT));
    expect(object.length).toBe(HEADER_BYTES + 3 * (1024 ** 2 + 29));
  });

  it('pitfall: draws a fresh data key for each object', async () => {
    const objects = await Promise.all([1, 2].map(() => collect(encrypt(inChunks(pattern(100)), KEYS, CONTEXT))));
    expect(objects[0]!.subarray(HEADER_BYTES).equals(objects[1]!.subarray(HEADER_BYTES))).toBe(false);
  });

  it('holds a frame at most', async () => {
    let given = 0;
    const source = (async function* () {
      for (; given < 64; given += 1) yield Buffer.alloc(128 * 1024);
    })();
    const object = encrypt(source, KEYS, CONTEXT)[Symbol.asyncIterator]();
    await object.next();
    await object.next();
    expect(given).toBe(8); // a MiB and the chunk that shows it is not the last frame
    await object.return?.();
  });

  it('reads old objects after a rotation, and needs the old key for it', async () => {
    const object = await sealed(pattern(200));
    await expect(opened(object, { keys: keyRing('k2', 'k1') })).resolves.toEqual(pattern(200));
    await refused(object, 'unknown-key', { keys: keyRing('k2') });
    const fresh = await sealed(pattern(1), { keys: keyRing('k2', 'k1') });
    await expect(opened(fresh, { keys: keyRing('k2') })).resolves.toEqual(pattern(1));
  });
});

describe('decryption refuses', () => {
  const plain = pattern(5 * FRAME_BYTES + 10);
  let object: Buffer;
  beforeAll(async () => {
    object = await sealed(plain);
  });

  it('an object under another name', () => refused(object, 'other-context', { context: 'db/2026-11-24/dump.enc' }));

  it('a key of the same id that is another one', () =>
    refused(object, 'wrong-key', { keys: parseKeyRing(keyEntry('k1', 'another')) }));

  it('a key that it does not have, and names it', async () => {
    await expect(opened(object, { keys: keyRing('k7', 'k8') })).rejects.toThrow(
      'the object needs key k1; the key ring has k7, k8',
    );
  });

  it('what was not encrypted by us', async () => {
    await refused(Buffer.from('PGDMP and much else besides'), 'not-encrypted');
    await refused(Buffer.alloc(0), 'not-encrypted');
  });

  it('a format that is newer than the program', () => {
    const newer = Buffer.from(object);
    newer[8] = 2;
    return refused(newer, 'unknown-version');
  });

  it.each`
    where                   | cutTo                                   | reason
    ${'within the header'}  | ${HEADER_BYTES - 1}                     | ${'cut'}
    ${'after the header'}   | ${HEADER_BYTES}                         | ${'cut'}
    ${'within the head'}    | ${HEADER_BYTES + 5}                     | ${'cut'}
    ${'within the content'} | ${HEADER_BYTES + 20}                    | ${'cut'}
    ${'within the tag'}     | ${HEADER_BYTES + WHOLE_FRAME_BYTES - 1} | ${'cut'}
    ${'between two frames'} | ${HEADER_BYTES + 2 * WHOLE_FRAME_BYTES} | ${'cut'}
  `('what was cut $where', ({ cutTo, reason }: { cutTo: number; reason: DecryptionFailure }) =>
    refused(object.subarray(0, cutTo), reason),
  );

  it('a frame that was moved, repeated or left out', async () => {
    const { header, frames } = taken(object);
    const [a, b, c, ...rest] = frames as [Buffer, Buffer, Buffer, ...Buffer[]];
    await refused(Buffer.concat([header, b, a, c, ...rest]), 'frame-out-of-place');
    await refused(Buffer.concat([header, a, a, b, c, ...rest]), 'frame-out-of-place');
    await refused(Buffer.concat([header, a, c, ...rest]), 'frame-out-of-place');
  });

  it('a frame that was moved and given the number of its new place', async () => {
    const { header, frames } = taken(object);
    const [a, b, ...rest] = frames.map((frame) => Buffer.from(frame)) as [Buffer, Buffer, ...Buffer[]];
    b.writeBigUInt64BE(0n, 0);
    a.writeBigUInt64BE(1n, 0);
    await refused(Buffer.concat([header, b, a, ...rest]), 'frame-altered');
  });

  it('pitfall: a cut object whose last frame was marked as such', async () => {
    const { header, frames } = taken(object);
    const shortened = Buffer.concat([header, ...frames.slice(0, 2)]);
    shortened[HEADER_BYTES + WHOLE_FRAME_BYTES + 8] = 1;
    await refused(shortened, 'frame-altered');
  });

  it('bytes after the last frame, also whole frames of its own', async () => {
    const { frames } = taken(object);
    await refused(Buffer.concat([object, Buffer.from([0])]), 'appended');
    await refused(Buffer.concat([object, frames.at(-1)!]), 'appended');
  });

  it('frames of another object under the header of this one', async () => {
    const other = taken(await sealed(pattern(300)));
    await refused(Buffer.concat([taken(object).header, ...other.frames]), 'frame-altered');
  });

  it('any single flipped bit', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: object.length - 1 }),
        fc.integer({ min: 0, max: 7 }),
        async (at, bit) => {
          const flipped = Buffer.from(object);
          flipped[at]! ^= 1 << bit;
          await expect(opened(flipped)).rejects.toMatchObject({ name: 'DermsError', code: 'BACKUP_UNREADABLE' });
        },
      ),
      { numRuns: 500 },
    );
  });

  it('anything left out, put in or cut off anywhere', async () => {
    const place = fc.integer({ min: 0, max: object.length });
    await fc.assert(
      fc.asyncProperty(place, place, fc.uint8Array({ maxLength: 200 }), async (one, two, put) => {
        const [from, to] = [Math.min(one, two), Math.max(one, two)];
        const altered = Buffer.concat([object.subarray(0, from), put, object.subarray(to)]);
        fc.pre(!altered.equals(object));
        await expect(opened(altered)).rejects.toMatchObject({ code: 'BACKUP_UNREADABLE' });
      }),
      { numRuns: 300 },
    );
  });

  it('pitfall: before any byte of the bad frame is given out', async () => {
    const flipped = Buffer.from(object);
    flipped[HEADER_BYTES + 2 * WHOLE_FRAME_BYTES + 40]! ^= 1; // in the third frame
    const given: Buffer[] = [];
    const reading = (async () => {
      for await (const chunk of decrypt(inChunks(flipped, 37), KEYS, CONTEXT)) given.push(chunk);
    })();
    await expect(reading).rejects.toMatchObject({
      reason: 'frame-altered',
      message: 'frame 2 was altered after it was written',
    });
    expect(Buffer.concat(given)).toEqual(plain.subarray(0, 2 * FRAME_BYTES));
  });

  it('and lets the source end when it does', async () => {
    let ended = false;
    const source = (async function* () {
      try {
        for (;;) yield Buffer.from('not what we write');
      } finally {
        ended = true;
      }
    })();
    await expect(collect(decrypt(source, KEYS, CONTEXT))).rejects.toMatchObject({ reason: 'not-encrypted' });
    expect(ended).toBe(true);
  });
});
