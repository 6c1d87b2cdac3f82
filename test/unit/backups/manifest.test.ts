import { backupIdOf, backupKeyOf } from '../../../backups/backup-key';
import { checkSignature, manifestKeyOf, readManifest, signManifest, writeManifest } from '../../../backups/manifest';
import type { BaseManifest } from '../../../backups/manifest-schema';
import { createDirectoryStorage } from '../../../storage/directory';
import { keyRing } from '../../support/keys';
import { temporaryFolder } from './temporary-folder';

const RUN = '019ac1f0-7b00-7c11-8a22-9b33ac44bd55';
const KEY = backupKeyOf('base', new Date('2026-11-25T02:15:00Z'), RUN);
const SHA256 = 'ab'.repeat(32);

const aManifest = (): BaseManifest =>
  signManifest<BaseManifest>(keyRing('k2', 'k1'), {
    v: 1,
    kind: 'base',
    backupId: backupIdOf(KEY),
    runId: RUN,
    workflowId: `job/base-backup/${RUN}`,
    deployment: 'production',
    takenAt: '2026-11-25T02:15:01.000Z',
    object: { key: KEY, bytes: 10, sha256: SHA256, keyId: 'k2' },
    server: { version: '15.18', systemIdentifier: '7312345678901234567', timeline: 1 },
    tools: { pg_basebackup: '15.18' },
    steps: [{ name: 'copy', seconds: 1.5 }],
    archive: { bytes: 8, sha256: SHA256 },
    compressed: { bytes: 6, sha256: SHA256 },
    startLsn: '0/2000028',
    stopLsn: '0/2000100',
    startWalFile: '000000010000000000000002',
    segmentBytes: 16_777_216,
    superuser: 'postgres',
  });

describe('the name of a backup', () => {
  it('is the time it was to be taken at and the end of its run, so that names sort by time', () => {
    expect(KEY).toBe('base/2026-11-25T02-15-00Z-9b33ac44bd55.tar.zst.enc');
    expect(backupKeyOf('dump', new Date('2026-11-25T02:15:00Z'), RUN)).toBe(
      'dump/2026-11-25T02-15-00Z-9b33ac44bd55.dump.zst.enc',
    );
  });

  it('gives it the same id for whoever finds it', () => {
    expect(backupIdOf(KEY)).toBe(backupIdOf(KEY));
    expect(backupIdOf(KEY)).not.toBe(backupIdOf(`${KEY}x`));
  });
});

describe('the manifest of a backup', () => {
  const folder = temporaryFolder();

  it('comes back from storage as it was written, with a signature that holds', async () => {
    const storage = createDirectoryStorage(folder());
    await writeManifest(storage, aManifest());
    const manifest = await readManifest(storage, KEY);
    expect(manifest).toEqual(aManifest());
    expect(checkSignature(keyRing('k3', 'k2'), manifest)).toBe('valid');
  });

  it('keeps its signature when its fields come in another order, as a jsonb column gives them', () => {
    const { signature, tools, ...rest } = aManifest();
    expect(checkSignature(keyRing('k2'), { signature, ...rest, tools })).toBe('valid');
  });

  it('loses its signature with any change', () => {
    const manifest = aManifest();
    const changed = { ...manifest, object: { ...manifest.object, bytes: 11 } };
    expect(checkSignature(keyRing('k2'), changed)).toBe('invalid');
    expect(checkSignature(keyRing('k9'), manifest)).toBe('unknown-key');
  });

  it.each([
    ['is no JSON', 'nonsense', 'cannot be read: : Invalid input'],
    ['is of a later version', JSON.stringify({ ...aManifest(), v: 2 }), 'cannot be read: v: Invalid input: expected 1'],
  ])('is refused when it %s', async (_what, text, message) => {
    const storage = createDirectoryStorage(folder());
    await storage.put(manifestKeyOf(KEY), pieces(text));
    await expect(readManifest(storage, KEY)).rejects.toThrow(message);
  });

  it('is refused beside another object than its own', async () => {
    const storage = createDirectoryStorage(folder());
    await storage.put(manifestKeyOf('base/other'), pieces(JSON.stringify(aManifest())));
    await expect(readManifest(storage, 'base/other')).rejects.toThrow(`it is of ${KEY}`);
  });
});

async function* pieces(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
