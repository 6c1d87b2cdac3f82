import { newKeyEntry, parseKeyRing } from '../../../../storage/encryption/key-ring';
import { keyEntry, keyRing } from '../../../support/keys';

const base64 = (bytes: readonly number[] | Buffer): string => Buffer.from(bytes).toString('base64');
const thirtyTwo = (value: (index: number) => number): string => base64(Array.from({ length: 32 }, (_, n) => value(n)));

describe('a key ring', () => {
  it('takes keys by line or comma; the first one is current', () => {
    const ring = parseKeyRing(`\n${keyEntry('new')} ,${keyEntry('old')}\r\n${keyEntry('oldest')}\n`);
    expect([ring.currentKeyId, ring.keyIds]).toEqual(['new', ['new', 'old', 'oldest']]);
  });

  it.each`
    text                                                               | says
    ${''}                                                              | ${'holds no key; `npm run derms -- backup-key` makes one'}
    ${'k1'}                                                            | ${'entry 1: is not written as id:base64'}
    ${`bad id:${base64(Buffer.alloc(32, 7))}`}                         | ${'entry 1: its id is not 1 to 64 of A-Z a-z 0-9 . _ -'}
    ${'k1:'}                                                           | ${'entry 1: k1: is not base64'}
    ${'k1:not base64!'}                                                | ${'entry 1: k1: is not base64'}
    ${`k1:${base64(Buffer.alloc(16, 7))}`}                             | ${'entry 1: k1: has 16 bytes, not 32'}
    ${`k1:${base64(Buffer.alloc(32))}`}                                | ${'entry 1: k1: is no random key, its bytes repeat'}
    ${`k1:${thirtyTwo((n) => n % 16)}`}                                | ${'entry 1: k1: is no random key, its bytes repeat'}
    ${`k1:${thirtyTwo((n) => 200 + n * 3)}`}                           | ${'entry 1: k1: is no random key, its bytes are a row'}
    ${`k1:${base64(Buffer.from('a7Kq9-Zm2Xw4!Lp6_Tb8#Rn1%Vc3&Hd5'))}`} | ${'entry 1: k1: is no random key, it is text'}
    ${`${keyEntry('k1')},${keyEntry('k1', 'other')}`}                  | ${'entry 2: k1: is given twice'}
    ${`${keyEntry('k1')},${keyEntry('k2', 'k1')}`}                     | ${'entry 2: k2: is the same key as one before'}
  `('refuses $text', ({ text, says }: { text: string; says: string }) => {
    expect(() => parseKeyRing(text)).toThrow(`BACKUP_ENCRYPTION_KEYS: ${says}`);
  });

  it('names every fault at once, and no key', () => {
    const text = `k1:${base64(Buffer.alloc(16, 7))}\n${keyEntry('k2')}\nk3:%%%`;
    expect(() => parseKeyRing(text)).toThrow(
      /^BACKUP_ENCRYPTION_KEYS: entry 1: k1: has 16 bytes, not 32; entry 3: k3: is not base64$/,
    );
  });

  it('takes what it makes itself, a thousand times', () => {
    const entries = Array.from({ length: 1_000 }, (_, n) => newKeyEntry(`k${String(n)}`));
    expect(parseKeyRing(entries.join('\n')).keyIds).toHaveLength(1_000);
  });

  it('derives another key for each purpose', () => {
    const ring = keyRing('k1');
    const derived = [ring.wrappingKey('k1'), ring.signingKey('k1'), ring.fingerprint('k1')].map((key) =>
      key?.toString('hex'),
    );
    expect(new Set(derived.map((hex) => hex?.slice(0, 16))).size).toBe(3);
    expect([ring.wrappingKey('k2'), ring.signingKey('k2'), ring.fingerprint('k2')]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe('a signature', () => {
  const manifest = Buffer.from('{"kind":"db"}');
  const signature = keyRing('k1').sign(manifest);

  it('names its key and algorithm, and passes through JSON', () => {
    expect(signature).toEqual({ algorithm: 'HMAC-SHA256', keyId: 'k1', value: expect.stringMatching(/^[\w+/]{43}=$/) });
    expect(keyRing('k1').verify(manifest, JSON.parse(JSON.stringify(signature)))).toBe('valid');
  });

  it('is still good after a rotation, as long as the ring has the key', () => {
    expect(keyRing('k2', 'k1').verify(manifest, signature)).toBe('valid');
    expect(keyRing('k2').verify(manifest, signature)).toBe('unknown-key');
  });

  it('is not good for other bytes, under another key of that id, or cut', () => {
    expect(keyRing('k1').verify(Buffer.from('{"kind":"DB"}'), signature)).toBe('invalid');
    expect(parseKeyRing(keyEntry('k1', 'another')).verify(manifest, signature)).toBe('invalid');
    expect(keyRing('k1').verify(manifest, { ...signature, value: signature.value.slice(0, 20) })).toBe('invalid');
    expect(keyRing('k1').verify(manifest, { ...signature, value: '' })).toBe('invalid');
  });
});
