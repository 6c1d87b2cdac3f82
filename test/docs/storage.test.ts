import { createDecipheriv, createHmac, hkdfSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decrypt } from '../../storage/encryption/decrypt';
import { parseKeyRing } from '../../storage/encryption/key-ring';
import { collect, inChunks } from '../support/chunks';

const PAGE = readFileSync(join(__dirname, '../../docs/storage.md'), 'utf8');
const found = (pattern: RegExp): string => {
  const text = pattern.exec(PAGE)?.[1];
  if (text === undefined) throw new Error(`docs/storage.md has no ${String(pattern)}`);
  return text;
};
const RING = found(/The ring `(.+?)`/);
const CONTEXT = found(/context `(.+?)`/);
const PLAINTEXT = found(/plaintext `(.+?)`/);
const OBJECT = Buffer.from(found(/```hex\n([^`]+)```/).replaceAll(/\s/g, ''), 'hex');
const SIGNATURE = found(/signature of that plaintext is `(.+?)`/);

describe('the test vector of docs/storage.md', () => {
  it('is what we read', async () => {
    const plain = await collect(decrypt(inChunks(OBJECT, 7), parseKeyRing(RING), CONTEXT));
    expect(plain.toString()).toBe(PLAINTEXT);
  });

  it('is signed as we sign', () => {
    expect(parseKeyRing(RING).sign(Buffer.from(PLAINTEXT)).value).toBe(SIGNATURE);
  });

  it('can be read by the tables of the page alone', () => {
    const derived = (key: Buffer, purpose: string, length = 32): Buffer =>
      Buffer.from(hkdfSync('sha256', key, '', `derms backup v1 ${purpose}`, length));
    const opened = (key: Buffer, nonce: Buffer, additional: Buffer, text: Buffer, tag: Buffer): Buffer => {
      const decipher = createDecipheriv('aes-256-gcm', key, nonce).setAAD(additional).setAuthTag(tag);
      return Buffer.concat([decipher.update(text), decipher.final()]);
    };
    let at = 0;
    const next = (bytes: number): Buffer => OBJECT.subarray(at, (at += bytes));
    const ringKey = Buffer.from(RING.split(':')[1]!, 'base64');

    expect(next(8).toString()).toBe('DERMSENC');
    expect(next(1)[0]).toBe(1);
    expect(next(next(1)[0]!).toString()).toBe('example');
    expect(next(8)).toEqual(derived(ringKey, 'fingerprint', 8));
    expect(next(4).readUInt32BE()).toBe(16);
    const beforeNonce = OBJECT.subarray(0, at);
    const dataKey = opened(derived(ringKey, 'wrap'), next(12), beforeNonce, next(32), next(16));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(CONTEXT.length);
    const mac = createHmac('sha256', derived(dataKey, 'header')).update(length).update(CONTEXT);
    expect(mac.update(OBJECT.subarray(0, at)).digest()).toEqual(next(32));

    const frames: string[] = [];
    for (let index = 0, last = false; !last; index += 1) {
      const head = next(13);
      expect(Number(head.readBigUInt64BE())).toBe(index);
      last = head[8] === 1;
      const nonce = Buffer.concat([Buffer.alloc(4), head.subarray(0, 8)]);
      frames.push(opened(derived(dataKey, 'frames'), nonce, head, next(head.readUInt32BE(9)), next(16)).toString());
    }
    expect(frames).toEqual(['The quick brown ', 'fox']);
    expect(at).toBe(OBJECT.length);
  });
});
