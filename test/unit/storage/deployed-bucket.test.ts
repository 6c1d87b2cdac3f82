import { createServer, type Server } from 'node:http';
import { readdirSync, readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { S3 } from '@aws-sdk/client-s3';
import { loadSomeSettings } from '../../../config/load';
import { BUCKET_RULES, checkStorageRules } from '../../../storage/bucket-check';
import { STORAGE_SETTINGS } from '../../../storage/location';
import { openS3Client } from '../../../storage/s3-client';

// A stand-in that keeps what it is sent and gives it back. The AWS client leaves out what it does not know, so a field that is
// misspelt in deploy/storage is not found in force. What a real server takes is in test/proofs/storage/.

const FOLDER = join(__dirname, '../../../deploy/storage');
const BUCKET = 'derms-backups';
const FILLED = {
  BUCKET,
  ACCOUNT_ID: '123456789012',
  RETENTION_ROLE: 'derms-jobs',
  KMS_KEY_ARN: 'arn:aws:kms:x:1:key/1',
};

let kept: Map<string, string>;
let server: Server;
let s3: S3;
beforeAll(async () => {
  server = createServer((request, response) => {
    const aspect = [...new URL(request.url ?? '', 'http://x').searchParams.keys()].find((key) => key !== 'x-id') ?? '';
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      if (request.method === 'PUT') kept.set(aspect, body);
      const found = kept.get(aspect);
      response.statusCode = found === undefined ? 404 : 200;
      response.end(found ?? `<Error><Code>NoSuch${aspect}</Code></Error>`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  s3 = await openS3Client({
    ...{ bucket: BUCKET, prefix: '', endpoint: endpoint(), region: 'us-east-1', forcePathStyle: true },
    ...{
      serverEncryption: 'none',
      credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
      partBytes: 1,
      partsInFlight: 1,
    },
    idleMs: 5_000,
  });
});
beforeEach(() => {
  kept = new Map();
});
afterAll(async () => {
  s3.destroy();
  await new Promise((resolve) => server.close(resolve));
});

const endpoint = (): string => `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
/** As the README's `filled` does it. */
const filled = (name: string): string =>
  Object.entries(FILLED).reduce(
    (text, [word, value]) => text.replaceAll(word, value),
    readFileSync(join(FOLDER, name), 'utf8'),
  );
const read = (name: string): never => JSON.parse(filled(name)) as never;

/** The commands of the README, by the file that each applies. */
const APPLY: Readonly<Record<string, () => Promise<unknown>>> = {
  'bucket-policy.json': () => s3.putBucketPolicy({ Bucket: BUCKET, Policy: filled('bucket-policy.json') }),
  'encryption.json': () =>
    s3.putBucketEncryption({ Bucket: BUCKET, ServerSideEncryptionConfiguration: read('encryption.json') }),
  'lifecycle.json': () =>
    s3.putBucketLifecycleConfiguration({ Bucket: BUCKET, LifecycleConfiguration: read('lifecycle.json') }),
  'object-lock.json': () =>
    s3.putObjectLockConfiguration({ Bucket: BUCKET, ObjectLockConfiguration: read('object-lock.json') }),
  'public-access.json': () =>
    s3.putPublicAccessBlock({ Bucket: BUCKET, PublicAccessBlockConfiguration: read('public-access.json') }),
};
const apply = async (names = Object.keys(APPLY)): Promise<void> => {
  for (const name of names) await APPLY[name]!();
  // What `--object-lock-enabled-for-bucket` brings with it.
  kept.set('versioning', '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>');
};
const enforced = async (): Promise<string[]> => {
  const environment = {
    BACKUP_STORAGE: `s3://${BUCKET}/prod`,
    BACKUP_S3_ENDPOINT: endpoint(),
    BACKUP_S3_FORCE_PATH_STYLE: 'true',
    BACKUP_S3_ACCESS_KEY_ID: 'a',
    BACKUP_S3_SECRET_ACCESS_KEY: 'b',
  };
  const checks = await checkStorageRules(loadSomeSettings(STORAGE_SETTINGS, environment, '/nowhere/.env'));
  return checks.flatMap(({ rule, enforced: is }) => (is ? [rule] : []));
};

describe('a bucket that deploy/storage was applied to', () => {
  it('enforces every rule, and one that nothing was applied to none', async () => {
    expect(await enforced()).toEqual([]);
    expect(Object.keys(APPLY).sort()).toEqual(
      readdirSync(FOLDER)
        .filter((name) => name.endsWith('.json'))
        .sort(),
    );
    await apply();
    expect(await enforced()).toEqual([...BUCKET_RULES]);
  });

  it.each`
    without                 | lacks
    ${'bucket-policy.json'} | ${['tls-only', 'unencrypted-put-denied', 'delete-restricted']}
    ${'encryption.json'}    | ${['encryption']}
    ${'lifecycle.json'}     | ${['parts-aborted', 'old-versions-expire']}
    ${'object-lock.json'}   | ${['object-lock']}
    ${'public-access.json'} | ${['not-public']}
  `('without $without lacks $lacks', async ({ without, lacks }: { without: string; lacks: string[] }) => {
    await apply(Object.keys(APPLY).filter((name) => name !== without));
    expect(await enforced()).toEqual(BUCKET_RULES.filter((rule) => !lacks.includes(rule)));
  });

  it('is public when one of the four blocks is missing', async () => {
    await apply();
    kept.set(
      'publicAccessBlock',
      kept.get('publicAccessBlock')!.replace('<BlockPublicPolicy>true', '<BlockPublicPolicy>false'),
    );
    expect(await enforced()).not.toContain('not-public');
  });
});
