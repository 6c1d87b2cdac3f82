import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { certificateStates } from '../../../tls/certificate-metrics';
import { openClientTls } from '../../../tls/client-tls';
import { readKeyPair } from '../../../tls/key-pair';
import { makeCertificateAuthority, writeAuthority, writePair } from '../../support/certificate-authority';

const folder = mkdtempSync(join(tmpdir(), 'derms-test-tls-'));
const authority = makeCertificateAuthority();
const first = authority.issue({ names: ['a.test'], daysLeft: 10 });
const second = authority.issue({ names: ['b.test'] });
const pair = writePair(folder, 'pair', first);
const caPath = writeAuthority(folder, 'ca', authority);
afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe('a certificate with its key', () => {
  it('is read with the day it runs out', () => {
    const { expiresAt } = readKeyPair(pair);

    expect((expiresAt.getTime() - Date.now()) / 86_400_000).toBeCloseTo(10, 2);
  });

  it.each([
    [
      'a key of another certificate',
      { ...pair, keyPath: writePair(folder, 'other', second).keyPath },
      'other.key: is not the key of the certificate in',
    ],
    [
      'a certificate that is not there',
      { ...pair, certPath: join(folder, 'none.crt') },
      'none.crt: cannot be read (ENOENT)',
    ],
    ['a key that is not there', { ...pair, keyPath: join(folder, 'none.key') }, 'none.key: cannot be read (ENOENT)'],
    [
      'a key where the certificate belongs',
      { ...pair, certPath: pair.keyPath },
      'pair.key: holds no certificate in PEM form',
    ],
    [
      'a certificate where the key belongs',
      { ...pair, keyPath: pair.certPath },
      'pair.crt: holds no private key in PEM form',
    ],
    ['a damaged certificate', { ...pair, certPath: damaged() }, 'damaged.crt: holds a damaged certificate'],
  ])('is refused with %s, and the file is named', (_case, paths, message) => {
    expect(() => readKeyPair(paths)).toThrow(message);
  });
});

describe('what a client presents', () => {
  it('is read anew for each connection, and stays as it was while the files are broken', () => {
    const mine = writePair(folder, 'mine', first);
    const tls = openClientTls({ name: 'test', caPath, ...mine, verify: true });
    const before = tls.material();

    writeFileSync(mine.certPath, second.cert);
    expect(tls.material()).toBe(before);

    writeFileSync(mine.keyPath, second.key);
    expect(tls.material().cert?.toString()).toBe(second.cert);
    expect(tls.material()).toBe(tls.material());
  });

  it('must be there when the process begins', () => {
    const open = () => openClientTls({ name: 'test', caPath: join(folder, 'no-ca.crt'), verify: true });

    expect(open).toThrow('no-ca.crt: cannot be read (ENOENT)');
  });
});

it('a certificate says when it runs out, also when it has, and a file that cannot be used says why', () => {
  const old = writePair(folder, 'old', authority.issue({ names: ['a.test'], daysLeft: -3 }));
  const states = certificateStates([
    { certificate: 'api', ...pair },
    { certificate: 'old', ...old },
    { certificate: 'gone', certPath: join(folder, 'none.crt') },
  ]);
  const daysTo = (at: Date): number => Math.round((at.getTime() - Date.now()) / 86_400_000);

  expect(states.map(({ certificate, expiresAt }) => [certificate, expiresAt && daysTo(expiresAt)])).toEqual([
    ['api', 10],
    ['old', -3],
    ['gone', null],
  ]);
  expect(states[2]?.fault).toContain('none.crt: cannot be read');
});

function damaged(): string {
  const path = join(folder, 'damaged.crt');
  writeFileSync(path, first.cert.replace(/\n[A-Za-z0-9+/]{20}/, '\nAAAAAAAAAAAAAAAAAAAA'));
  return path;
}
