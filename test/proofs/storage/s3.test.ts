import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ObjectLockConfiguration, S3 } from '@aws-sdk/client-s3';
import { loadSomeSettings } from '../../../config/load';
import { createLogger } from '../../../observability/logger';
import { Registry } from '../../../observability/metrics';
import { startVersitygw, type VersitygwServer } from '../../../local/versitygw';
import { BUCKET_RULES, checkStorageRules } from '../../../storage/bucket-check';
import { decrypt } from '../../../storage/encryption/decrypt';
import { encrypt } from '../../../storage/encryption/encrypt';
import { STORAGE_SETTINGS } from '../../../storage/location';
import type { ObjectStorage } from '../../../storage/port';
import { createS3Storage } from '../../../storage/s3';
import { openS3Client, type S3Location } from '../../../storage/s3-client';
import { collect, inChunks, pattern, sha256 } from '../../support/chunks';
import { tellStorageRules } from '../../../worker/storage-rules';
import { keyRing } from '../../support/keys';
import { describeObjectStorage } from '../../support/object-storage-cases';

const MIB = 1024 ** 2;
const folder = mkdtempSync(join(tmpdir(), 'derms-s3-'));
let server: VersitygwServer;
let storage: ObjectStorage;
let s3: S3;
let stop = async (): Promise<void> => undefined;

const locationOf = (changes: Partial<S3Location> = {}): S3Location => ({
  bucket: 'derms-backups',
  prefix: 'prod/',
  endpoint: server.endpoint,
  region: 'us-east-1',
  forcePathStyle: true,
  serverEncryption: 'none',
  credentials: { accessKeyId: server.accessKeyId, secretAccessKey: server.secretAccessKey },
  partBytes: 5 * MIB,
  partsInFlight: 3,
  idleMs: 10_000,
  ...changes,
});
const bucket = { Bucket: 'derms-backups' };
const deployed = (name: string): ObjectLockConfiguration =>
  JSON.parse(readFileSync(join(__dirname, '../../../deploy/storage', name), 'utf8')) as ObjectLockConfiguration;

beforeAll(async () => {
  server = await startVersitygw({ folder: join(folder, 's3') });
  s3 = await openS3Client(locationOf());
  stop = async () => {
    s3.destroy();
    await server.stop();
  };
  await s3.createBucket(bucket);
  await s3.createBucket({ Bucket: 'derms-locked', ObjectLockEnabledForBucket: true });
  storage = await createS3Storage(locationOf());
});
afterAll(async () => {
  await stop();
  rmSync(folder, { recursive: true });
});

describe('an S3 bucket', () => {
  describeObjectStorage(() => storage);

  it('is named without a credential', () => {
    expect(storage.description).toBe('s3 bucket derms-backups/prod');
  });

  it('holds only what is below its prefix', async () => {
    await s3.putObject({ ...bucket, Key: 'staging/object', Body: 'x' });
    const keys: string[] = [];
    for await (const { key } of storage.list('')) keys.push(key);
    expect(keys).not.toContain('staging/object');
  });

  it('lists more objects than one page has', async () => {
    const many = await createS3Storage(locationOf({ prefix: 'many/' }));
    for (let turn = 0; turn < 1_010; turn += 101) {
      await Promise.all(
        Array.from({ length: 101 }, (_, n) =>
          many.put(`o-${String(turn + n).padStart(4, '0')}`, inChunks(Buffer.from('x'))),
        ),
      );
    }
    const keys: string[] = [];
    for await (const { key } of many.list('')) keys.push(key);
    expect([keys.length, keys[0], keys.at(-1)]).toEqual([1_010, 'o-0000', 'o-1009']);
  });

  it('takes an encrypted object in parts and gives it back', async () => {
    const keys = keyRing('k1');
    const plain = pattern(37 * MIB + 1);
    await storage.put('dump.enc', encrypt(inChunks(plain, 65_536), keys, 'dump.enc'));
    const read = await collect(decrypt(await storage.get('dump.enc'), keys, 'dump.enc'));
    expect(sha256(read)).toBe(sha256(plain));
  });

  it.each(['AES256', 'aws:kms'] as const)('asks the server to encrypt with %s', async (serverEncryption) => {
    const kms = serverEncryption === 'aws:kms' ? { kmsKeyId: 'alias/derms' } : {};
    const encrypting = await createS3Storage(locationOf({ serverEncryption, ...kms }));
    await encrypting.put('small', inChunks(pattern(10)));
    await encrypting.put('large', inChunks(pattern(11 * MIB), MIB));
    expect((await collect(await encrypting.get('large'))).equals(pattern(11 * MIB))).toBe(true);
  });

  it('pitfall: removes the parts of uploads whose last part is older than it was told, and no others', async () => {
    const begin = async (Key: string) => {
      const { UploadId } = await s3.createMultipartUpload({ ...bucket, Key });
      await s3.uploadPart({ ...bucket, Key, UploadId, PartNumber: 1, Body: pattern(5 * MIB) });
    };
    await begin('prod/killed');
    await begin('staging/killed');
    await expect(storage.sweepParts(3_600_000)).resolves.toBe(0);
    await expect(storage.sweepParts(-60_000)).resolves.toBe(1);
    const { Uploads = [] } = await s3.listMultipartUploads(bucket);
    expect(Uploads.map(({ Key }) => Key)).toEqual(['staging/killed']);
  });

  it('hides what is removed from a bucket that keeps versions, and keeps it there while it is locked', async () => {
    const Bucket = 'derms-locked';
    const locked = await createS3Storage(locationOf({ bucket: Bucket, prefix: '' }));
    await s3.putObjectLockConfiguration({ Bucket, ObjectLockConfiguration: deployed('object-lock.json') });
    await locked.put('kept', inChunks(pattern(10)));
    await locked.remove('kept');
    await expect(locked.head('kept')).resolves.toBeNull();
    const { Versions = [] } = await s3.listObjectVersions({ Bucket });
    const VersionId = Versions[0]?.VersionId;
    await expect(s3.deleteObject({ Bucket, Key: 'kept', VersionId })).rejects.toThrow(/lock/i);
  });

  it.each`
    what                | changes                                                                 | reason
    ${'a wrong secret'} | ${{ credentials: { accessKeyId: 'derms', secretAccessKey: 'wrong' } }}  | ${'denied'}
    ${'an unknown key'} | ${{ credentials: { accessKeyId: 'nobody', secretAccessKey: 'wrong' } }} | ${'denied'}
    ${'no such bucket'} | ${{ bucket: 'not-there' }}                                              | ${'unavailable'}
    ${'no server'}      | ${{ endpoint: 'http://127.0.0.1:1' }}                                   | ${'unavailable'}
  `('says $reason for $what', async ({ changes, reason }: { changes: Partial<S3Location>; reason: string }) => {
    const wrong = await createS3Storage(locationOf(changes));
    await expect(wrong.put('x', inChunks(pattern(10)))).rejects.toMatchObject({ reason });
    await expect(wrong.get('x')).rejects.toMatchObject({ reason });
    await expect(wrong.sweepParts(0)).rejects.toMatchObject({ reason });
  });
});

/** Between client and server; `cutAfter` bytes of each answer it ends the connection. */
async function startCutter() {
  const state = { cutAfter: [] as number[], connections: 0, loseAnswerTo: '', flipsBits: false };
  const target = new URL(server.endpoint);
  const proxy = createServer((client) => {
    state.connections += 1;
    const upstream = connect(Number(target.port), target.hostname);
    let left = state.cutAfter.shift() ?? Infinity;
    let lost = false;
    client.on('data', (bytes) => {
      if (state.flipsBits && bytes.length > 20_000) bytes.writeUInt8(bytes.readUInt8(10_000) ^ 1, 10_000);
      if (state.loseAnswerTo === '' || !bytes.includes(state.loseAnswerTo)) return;
      state.loseAnswerTo = '';
      lost = true;
    });
    client.pipe(upstream);
    upstream.on('data', (bytes) => {
      if (lost) {
        client.destroy();
        return;
      }
      client.write(bytes.subarray(0, left));
      left -= bytes.length;
      if (left <= 0) client.destroy();
    });
    upstream.on('error', () => client.destroy());
    upstream.on('close', () => client.end());
    client.on('error', () => upstream.destroy());
    client.on('close', () => upstream.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const { port } = proxy.address() as { port: number };
  return Object.assign(state, { proxy, endpoint: `http://127.0.0.1:${String(port)}` });
}

describe('the check of a bucket', () => {
  const rulesOf = async (name: string) => {
    const environment = {
      BACKUP_STORAGE: `s3://${name}/prod`,
      BACKUP_S3_ENDPOINT: server.endpoint,
      BACKUP_S3_FORCE_PATH_STYLE: 'true',
      BACKUP_S3_ACCESS_KEY_ID: server.accessKeyId,
      BACKUP_S3_SECRET_ACCESS_KEY: server.secretAccessKey,
    };
    const checks = await checkStorageRules(loadSomeSettings(STORAGE_SETTINGS, environment, '/nowhere/.env'));
    expect(checks.map(({ rule }) => rule)).toEqual([...BUCKET_RULES]);
    return Object.fromEntries(checks.map(({ rule, enforced, detail }) => [rule, enforced ? true : detail]));
  };

  it('finds what deploy/storage sets, and says what the server does not know', async () => {
    const Bucket = 'derms-locked';
    await s3.putObjectLockConfiguration({ Bucket, ObjectLockConfiguration: deployed('object-lock.json') });
    await expect(rulesOf(Bucket)).resolves.toMatchObject({
      versioning: true,
      'object-lock': true,
      'tls-only': 'nothing is set',
      'parts-aborted': 'the server does not know such a rule',
    });
  });

  it('finds nothing in force in a bucket of which nobody took care', async () => {
    await s3.createBucket({ Bucket: 'derms-bare' });
    const found = await rulesOf('derms-bare');
    expect(Object.values(found)).not.toContain(true);
  });

  it('says so of each rule when the server is away', async () => {
    const environment = {
      BACKUP_STORAGE: 's3://bucket',
      BACKUP_S3_ENDPOINT: 'http://127.0.0.1:1',
      BACKUP_S3_ACCESS_KEY_ID: 'x',
      BACKUP_S3_SECRET_ACCESS_KEY: 'x',
    };
    const checks = await checkStorageRules(loadSomeSettings(STORAGE_SETTINGS, environment, '/nowhere/.env'));
    expect(checks.filter(({ enforced, detail }) => !enforced && detail.includes('ECONNREFUSED'))).toHaveLength(9);
  });
});

describe('deploy/storage on a real server', () => {
  const SECRETS = { writer: 'secret-of-the-writer', stranger: 'secret-of-the-stranger' };
  const Bucket = 'derms-enforcing';
  interface Statement {
    readonly Sid: string;
  }
  const policy = JSON.parse(
    readFileSync(join(__dirname, '../../../deploy/storage/bucket-policy.json'), 'utf8')
      .replaceAll('BUCKET', Bucket)
      .replace('ACCOUNT_ID', '123456789012'),
  ) as { readonly Version: string; readonly Statement: readonly Statement[] };
  const deployedStatement = (sid: string): Statement => policy.Statement.find(({ Sid }) => Sid === sid)!;
  /** What roles are let by the account, and its users are not let by this server unless the bucket says so. */
  const ALLOWED = {
    ...{ Sid: 'WhatTheAccountAllows', Effect: 'Allow', Principal: { AWS: ['writer'] }, Action: 's3:*' },
    Resource: [`arn:aws:s3:::${Bucket}`, `arn:aws:s3:::${Bucket}/*`],
  };
  const put = (...statements: readonly Statement[]) =>
    root.putBucketPolicy({ Bucket, Policy: JSON.stringify({ Version: policy.Version, Statement: statements }) });
  const as = (accessKeyId: keyof typeof SECRETS) =>
    openS3Client({ ...enforcingLocation(), credentials: { accessKeyId, secretAccessKey: SECRETS[accessKeyId] } });
  const enforcingLocation = () => ({
    ...locationOf({ bucket: Bucket, endpoint: enforcing.endpoint }),
    credentials: { accessKeyId: enforcing.accessKeyId, secretAccessKey: enforcing.secretAccessKey },
  });
  let enforcing: VersitygwServer;
  let root: S3;
  let writer: S3;

  beforeAll(async () => {
    enforcing = await startVersitygw({ folder: join(folder, 'enforcing'), users: SECRETS });
    root = await openS3Client(enforcingLocation());
    writer = await as('writer');
    await root.createBucket({ Bucket, ObjectLockEnabledForBucket: true });
    await root.createBucket({ Bucket: 'derms-careless' });
    await put(ALLOWED);
  });
  afterAll(async () => {
    root.destroy();
    writer.destroy();
    await enforcing.stop();
  });

  it('refuses what travels without TLS by the policy, and nothing else was in the way', async () => {
    await writer.putObject({ Bucket, Key: 'in-the-clear', Body: 'x' });
    await put(ALLOWED, deployedStatement('TlsOnly'));
    await expect(writer.putObject({ Bucket, Key: 'in-the-clear', Body: 'y' })).rejects.toThrow(/explicit deny/);
    await expect(writer.getObject({ Bucket, Key: 'in-the-clear' })).rejects.toThrow(/explicit deny/);
    await put(ALLOWED);
  });

  it('lets the writer write and not delete, versions included', async () => {
    await writer.putObject({ Bucket, Key: 'kept', Body: 'x' });
    await writer.putObject({ Bucket, Key: 'let-go', Body: 'x' });
    await writer.deleteObject({ Bucket, Key: 'let-go' });
    await put(ALLOWED, deployedStatement('OnlyRetentionDeletes'));
    await writer.putObject({ Bucket, Key: 'kept', Body: 'y' });
    const { Versions = [] } = await root.listObjectVersions({ Bucket, Prefix: 'kept' });
    expect(Versions).toHaveLength(2);
    await expect(writer.deleteObject({ Bucket, Key: 'kept' })).rejects.toThrow(/explicit deny/);
    const VersionId = Versions[1]?.VersionId;
    await expect(writer.deleteObject({ Bucket, Key: 'kept', VersionId })).rejects.toThrow(/explicit deny/);
  });

  it('keeps a locked version from the administrator too', async () => {
    await root.putObjectLockConfiguration({ Bucket, ObjectLockConfiguration: deployed('object-lock.json') });
    const { VersionId } = await root.putObject({ Bucket, Key: 'locked', Body: 'x' });
    await expect(root.deleteObject({ Bucket, Key: 'locked', VersionId })).rejects.toThrow(/lock/i);
  });

  it('is seen at the start of the jobs role: what the bucket enforces as 1, and a warning and 0 for all else', async () => {
    await root.putObjectLockConfiguration({ Bucket, ObjectLockConfiguration: deployed('object-lock.json') });
    await put(ALLOWED, deployedStatement('TlsOnly'), deployedStatement('OnlyRetentionDeletes'));
    const seen = await Promise.all([Bucket, 'derms-careless'].map(startUp));
    expect(seen[0]?.enforced).toEqual(['tls-only', 'delete-restricted', 'versioning', 'object-lock']);
    expect(seen[1]?.enforced).toEqual([]);
    for (const { enforced, warned } of seen)
      expect(warned).toEqual(BUCKET_RULES.filter((rule) => !enforced.includes(rule)));
  });

  it.each(['encryption', 'parts-aborted', 'old-versions-expire', 'not-public'])(
    'does not know %s here, and says so',
    async (rule) => {
      const checks = await checkStorageRules(settingsOf(Bucket));
      expect(checks.find((check) => check.rule === rule)?.detail).toBe('the server does not know such a rule');
    },
  );

  const settingsOf = (name: string) => {
    const environment = {
      BACKUP_STORAGE: `s3://${name}/prod`,
      BACKUP_S3_ENDPOINT: enforcing.endpoint,
      BACKUP_S3_FORCE_PATH_STYLE: 'true',
      BACKUP_S3_ACCESS_KEY_ID: enforcing.accessKeyId,
      BACKUP_S3_SECRET_ACCESS_KEY: enforcing.secretAccessKey,
    };
    return loadSomeSettings(STORAGE_SETTINGS, environment, '/nowhere/.env');
  };
  /** As the role does it: the metric's rules that are 1, and the rules that were warned of. */
  async function startUp(name: string) {
    const registry = new Registry();
    const warned: unknown[] = [];
    const log = createLogger({ service: 'derms', role: 'test', level: 'silent', pretty: false });
    log.warn = (fields: unknown) => warned.push((fields as { rule: string }).rule);
    await tellStorageRules(() => checkStorageRules(settingsOf(name)), { log, registry });
    const page = await registry.metrics();
    const enforced = BUCKET_RULES.filter((rule) =>
      page.includes(`derms_backup_storage_rule_enforced{rule="${rule}"} 1\n`),
    );
    return { enforced, warned };
  }
});

describe('a connection that breaks', () => {
  let cutter: Awaited<ReturnType<typeof startCutter>>;
  beforeEach(async () => {
    cutter = await startCutter();
  });
  afterEach(() => {
    cutter.proxy.close();
  });

  it('is opened again where it broke, and nothing is lost or repeated', async () => {
    const sent = pattern(20 * MIB);
    await storage.put('broken', inChunks(sent, MIB));
    const through = await createS3Storage(locationOf({ endpoint: cutter.endpoint }));
    cutter.cutAfter.push(3 * MIB, 5 * MIB, 100_000);
    const read = await collect(await through.get('broken'));
    expect(sha256(read)).toBe(sha256(sent));
    expect(cutter.connections).toBeGreaterThanOrEqual(4);
  });

  it('that breaks again and again without a byte is an end before the end', async () => {
    await storage.put('broken', inChunks(pattern(20 * MIB), MIB));
    const through = await createS3Storage(locationOf({ endpoint: cutter.endpoint }));
    cutter.cutAfter.push(3 * MIB, ...Array.from({ length: 30 }, () => 1));
    await expect(collect(await through.get('broken'))).rejects.toMatchObject({ reason: 'unavailable' });
  });

  it.each`
    bytes       | last
    ${MIB}      | ${'PUT /derms-backups/prod/lost'}
    ${12 * MIB} | ${'POST /derms-backups/prod/lost-in-parts?uploadId='}
  `(
    'after the request that ends a put of $bytes bytes leaves our object, and is no refusal',
    async ({ bytes, last }: { bytes: number; last: string }) => {
      const through = await createS3Storage(locationOf({ endpoint: cutter.endpoint }));
      const key = bytes > 5 * MIB ? 'lost-in-parts' : 'lost';
      cutter.loseAnswerTo = last;
      const stored = await through.put(key, inChunks(pattern(bytes), MIB), { ifAbsent: true });
      expect([stored.bytes, cutter.loseAnswerTo]).toEqual([bytes, '']);
      await expect(through.put(key, inChunks(pattern(1)), { ifAbsent: true })).rejects.toMatchObject({
        reason: 'exists',
      });
    },
  );

  it.each([MIB, 12 * MIB])(
    'that alters a put of %i bytes is found out by the server, which takes none of it',
    async (bytes) => {
      const through = await createS3Storage(locationOf({ endpoint: cutter.endpoint }));
      cutter.flipsBits = true;
      await expect(through.put('altered', inChunks(pattern(bytes), MIB))).rejects.toThrow(/checksum|digest/i);
      await expect(storage.head('altered')).resolves.toBeNull();
      await expect(storage.sweepParts(-60_000)).resolves.toBe(0);
    },
  );

  it('in the middle of an upload is overcome by sending the part again', async () => {
    const sent = pattern(20 * MIB);
    const through = await createS3Storage(locationOf({ endpoint: cutter.endpoint }));
    cutter.cutAfter.push(Infinity, 0.5, 0.5);
    await through.put('sent-again', inChunks(sent, MIB));
    expect(sha256(await collect(await storage.get('sent-again')))).toBe(sha256(sent));
    await expect(storage.sweepParts(-60_000)).resolves.toBe(0);
  });
});

describe('a server', () => {
  it('that hangs is given up in bounded time, and nothing of it is left', async () => {
    const impatient = await createS3Storage(locationOf({ idleMs: 500 }));
    const content = (async function* () {
      yield* inChunks(pattern(12 * MIB), MIB);
      server.suspend();
      yield* inChunks(pattern(12 * MIB), MIB);
    })();
    const began = performance.now();
    await expect(impatient.put('hung', content)).rejects.toMatchObject({ reason: 'unavailable' });
    await expect(impatient.head('hung')).rejects.toMatchObject({ reason: 'unavailable' });
    expect(performance.now() - began).toBeLessThan(30_000);
    server.resume();
    await storage.sweepParts(-60_000);
    await expect(storage.head('hung')).resolves.toBeNull();
  });

  it('that hangs while it is read is given up in bounded time, which says nothing of the object', async () => {
    const impatient = await createS3Storage(locationOf({ idleMs: 500 }));
    await storage.put('read-hung', inChunks(pattern(60 * MIB), MIB));
    const began = performance.now();
    const reading = (async () => {
      for await (const chunk of await impatient.get('read-hung')) if (chunk.byteLength > 0) server.suspend();
    })();
    await expect(reading).rejects.toMatchObject({ reason: 'unavailable' });
    expect(performance.now() - began).toBeLessThan(60_000);
    server.resume();
    await storage.remove('read-hung');
  }, 90_000);

  it('that is killed in the middle leaves no object, and its parts are swept when it is back', async () => {
    const content = (async function* () {
      yield* inChunks(pattern(17 * MIB), MIB);
      await server.kill();
      yield* inChunks(pattern(17 * MIB), MIB);
    })();
    await expect(storage.put('killed', content)).rejects.toMatchObject({ reason: 'unavailable' });
    const port = Number(new URL(server.endpoint).port);
    server = await startVersitygw({ folder: join(folder, 's3'), port });
    s3.destroy();
    s3 = await openS3Client(locationOf());
    storage = await createS3Storage(locationOf());
    await expect(storage.head('killed')).resolves.toBeNull();
    await expect(storage.sweepParts(-60_000)).resolves.toBe(1);
    await expect(storage.sweepParts(-60_000)).resolves.toBe(0);
    await storage.put('killed', inChunks(pattern(17 * MIB), MIB));
  });

  it('has the whole object or none, and its parts are swept, when the uploading process is killed at any moment', async () => {
    for (const afterMs of [20, 60, 150]) {
      const child = spawn(
        process.execPath,
        [
          join(__dirname, '../../adapter/broker/run-typescript.cjs'),
          join(__dirname, 'put-for-ever.ts'),
          JSON.stringify(locationOf({ prefix: 'killer/' })),
        ],
        { stdio: ['ignore', 'pipe', 'ignore'] },
      );
      await once(child.stdout, 'data');
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      child.kill('SIGKILL');
      await once(child, 'exit');
      const killed = await createS3Storage(locationOf({ prefix: 'killer/' }));
      for await (const { key } of killed.list('')) {
        expect(sha256(await collect(await killed.get(key)))).toBe(sha256(pattern(20_000_000)));
      }
      await killed.sweepParts(-60_000);
      const { Uploads = [] } = await s3.listMultipartUploads({ ...bucket, Prefix: 'killer/' });
      expect(Uploads).toEqual([]);
    }
  });
});
