import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readBucketPolicy } from '../../../storage/bucket-policy';

const FOLDER = join(__dirname, '../../../deploy/storage');
interface Policy {
  readonly Statement: Record<string, unknown>[];
}
const deployed = (): Policy =>
  JSON.parse(readFileSync(join(FOLDER, 'bucket-policy.json'), 'utf8').replaceAll('BUCKET', 'backups')) as Policy;

const read = (change: (policy: Policy) => void = () => undefined, bucket = 'backups') => {
  const policy = deployed();
  change(policy);
  return readBucketPolicy(JSON.stringify(policy), bucket);
};

const NOTHING = { tlsOnly: false, unencryptedPutDenied: false, deleteRestricted: false };
const ALL = { tlsOnly: true, unencryptedPutDenied: true, deleteRestricted: true };

describe('a bucket policy', () => {
  it('of deploy/storage denies all that it should', () => {
    expect(read()).toEqual(ALL);
  });

  it('of another bucket says nothing about ours', () => {
    expect(read(undefined, 'another')).toEqual(NOTHING);
  });

  it.each(['tlsOnly', 'unencryptedPutDenied', 'deleteRestricted'] as const)(
    'without the statement for %s lacks it',
    (rule) => {
      const index = Object.keys(ALL).indexOf(rule);
      expect(read(({ Statement }) => void Statement.splice(index, 1))).toEqual({ ...ALL, [rule]: false });
    },
  );

  it.each`
    that                                    | index | change
    ${'allows instead of denying'}          | ${0}  | ${{ Effect: 'Allow' }}
    ${'is for one role only'}               | ${0}  | ${{ Principal: { AWS: 'arn:aws:iam::1:role/x' } }}
    ${'covers the bucket, not its objects'} | ${0}  | ${{ Resource: 'arn:aws:s3:::backups' }}
    ${'covers a prefix only'}               | ${0}  | ${{ Resource: 'arn:aws:s3:::backups/prod/*' }}
    ${'denies TLS instead of its absence'}  | ${0}  | ${{ Condition: { Bool: { 'aws:SecureTransport': 'true' } } }}
    ${'denies reading only'}                | ${0}  | ${{ Action: 's3:Get*' }}
    ${'needs a second condition'}           | ${0}  | ${{ Condition: { Bool: { 'aws:SecureTransport': 'false' }, IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } } }}
    ${'lets versions be deleted'}           | ${2}  | ${{ Action: 's3:DeleteObject' }}
  `('with a statement that $that does not count', ({ index, change }: { index: number; change: object }) => {
    const found = read(({ Statement }) => void Object.assign(Statement[index]!, change));
    expect(found).toEqual({ ...ALL, [Object.keys(ALL)[index]!]: false });
  });

  it.each`
    that                                     | index | change
    ${'names everybody as AWS: *'}           | ${0}  | ${{ Principal: { AWS: '*' } }}
    ${'uses a pattern of actions'}           | ${2}  | ${{ Action: 's3:Delete*' }}
    ${'denies deletion to everybody'}        | ${2}  | ${{ Condition: undefined }}
    ${'denies puts that name no encryption'} | ${1}  | ${{ Condition: { Null: { 's3:x-amz-server-side-encryption': 'true' } } }}
  `('with a statement that $that counts as well', ({ index, change }: { index: number; change: object }) => {
    expect(read(({ Statement }) => void Object.assign(Statement[index]!, change))).toEqual(ALL);
  });

  it('that is none is refused', () => {
    expect(() => readBucketPolicy('{"Statement":[{"Effect":"Perhaps"}]}', 'backups')).toThrow();
  });
});

describe('deploy/storage', () => {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith('.json'));

  it.each(files)('has valid JSON in %s, and its README applies it', (name) => {
    expect(() => JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as unknown).not.toThrow();
    expect(readFileSync(join(FOLDER, 'README.md'), 'utf8')).toContain(`filled ${name}`);
  });
});
