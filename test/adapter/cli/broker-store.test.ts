import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { manifestKeyOf, writeManifest } from '../../../backups/manifest';
import { copyManifest } from '../../../backups/mqtt/copy-manifest';
import { copyStore, type StoreCopy } from '../../../backups/mqtt/copy-store';
import { run } from '../../../cli/run';
import { createDirectoryStorage } from '../../../storage/directory';
import { newKeyEntry, parseKeyRing } from '../../../storage/encryption/key-ring';
import { startFurnishedBroker, type FurnishedBroker } from '../backups/mqtt/furnished-broker';

const folder = mkdtempSync(join(tmpdir(), 'derms-test-fetch-'));
const objects = join(folder, 'objects');
const storage = createDirectoryStorage(objects);
const keys = newKeyEntry('test');
const keyRing = parseKeyRing(keys);
const into = join(folder, 'mosquitto.db');
let broker: FurnishedBroker;
let older: StoreCopy;
let newest: StoreCopy;

/** Only the storage and the keys are known: neither API nor database nor Temporal. */
const command = async (args: string, environment: NodeJS.ProcessEnv = { BACKUP_ENCRYPTION_KEYS: keys }) => {
  const lines: string[] = [];
  const context = {
    print: (text: string) => lines.push(text),
    input: Readable.from([]),
    askSecret: () => Promise.reject(new Error('nobody is asked')),
    environment: { BACKUP_STORAGE: pathToFileURL(objects).href, ...environment },
    now: () => new Date(),
  };
  const code = await run(['broker-store', ...args.split(' ')], context, context.print);
  return { code, text: lines.join('\n') };
};

const provenCopy = async (runId: string): Promise<StoreCopy> => {
  const copy = await copyStore({ store: broker.store, storage, keyRing }, runId);
  const proof = { retained: 1, sessions: 0, resumed: 0, delivered: 0, seconds: { fetch: 0, boot: 0, ask: 0 } };
  const made = { runId, workflowId: 'w', deployment: 'development', provenAt: new Date() } as const;
  await writeManifest(storage, copyManifest({ keyRing }, { copy, proof, ...made }));
  return copy;
};

beforeAll(async () => {
  broker = await startFurnishedBroker();
  const client = await broker.connect();
  await client.publishAsync('der/setpoints/pv/pv-1', '{}', { qos: 1, retain: true });
  await client.endAsync();
  older = await provenCopy('019ac1f0-7b00-7c11-8a22-9b33ac44bd5a');
  newest = await provenCopy('019ac1f0-7b00-7c11-8a22-9b33ac44bd5b');
  await copyStore({ store: broker.store, storage, keyRing }, 'run-c-not-proven');
});
afterEach(() => {
  rmSync(into, { force: true });
});
afterAll(async () => {
  await broker.remove();
  rmSync(folder, { recursive: true });
});

describe('derms broker-store', () => {
  it('lists the proven copies', async () => {
    expect(await command('--list')).toEqual({ code: 0, text: `${older.key}\n${newest.key}` });
  });

  it('brings the newest proven copy into a file that only its owner can read, and says what it is', async () => {
    const { code, text } = await command(`--latest --into ${into}`);
    expect([code, text]).toEqual([0, expect.stringContaining(newest.sha256)]);
    expect(readFileSync(into).length).toBe(newest.bytes);
    expect(statSync(into).mode & 0o777).toBe(0o600);
  });

  it('brings the one that is asked for', async () => {
    expect((await command(`--id ${older.key} --into ${into}`)).text).toContain(older.key);
  });

  it('overwrites nothing', async () => {
    writeFileSync(into, 'mine');
    const { code, text } = await command(`--latest --into ${into}`);
    expect([code, text]).toEqual([2, expect.stringContaining('not overwritten')]);
    expect(readFileSync(into, 'utf8')).toBe('mine');
  });

  it('refuses a manifest that somebody else wrote, and one that was changed, and leaves no file', async () => {
    const path = join(objects, manifestKeyOf(older.key));
    const manifest = readFileSync(path, 'utf8');
    writeFileSync(path, manifest.replace('"retained": 1', '"retained": 2'));
    await expect(command(`--id ${older.key} --into ${into}`)).rejects.toMatchObject({
      code: 'BACKUP_UNREADABLE',
      message: expect.stringContaining('was not written by a holder of its key'),
    });
    writeFileSync(path, manifest);
    const other = { BACKUP_ENCRYPTION_KEYS: newKeyEntry('other') };
    await expect(command(`--id ${older.key} --into ${into}`, other)).rejects.toMatchObject({
      code: 'BACKUP_UNREADABLE',
    });
    expect(existsSync(into)).toBe(false);
  });

  it('says what is missing', async () => {
    expect((await command('--latest --into x', {})).text).toMatch(/BACKUP_ENCRYPTION_KEYS have to be set/);
    expect((await command(`--into ${into}`)).text).toMatch(/--latest or --id is needed/);
    expect((await command(`--broker north --latest --into ${into}`)).text).toMatch(/no proven copy of broker north/);
  });
});
