import { stat } from 'node:fs/promises';
import type { S3 } from '@aws-sdk/client-s3';
import { timed } from './file-failure';
import { readBucketPolicy, type PolicyFindings } from './bucket-policy';
import { storageLocation, type StorageSettings } from './location';
import { nameOf, storageErrorOf } from './s3-failure';
import { openS3Client, type S3Location } from './s3-client';
import { StorageError } from './storage-error';

/** What `deploy/storage/` sets on a bucket, in the order of its README. */
export const BUCKET_RULES = [
  'tls-only',
  'unencrypted-put-denied',
  'delete-restricted',
  'not-public',
  'encryption',
  'versioning',
  'object-lock',
  'parts-aborted',
  'old-versions-expire',
] as const;
export const DIRECTORY_RULES = ['private', 'owned'] as const;

export type StorageRule = (typeof BUCKET_RULES)[number] | (typeof DIRECTORY_RULES)[number];

/** Whether the store itself enforces a rule. What cannot be found out counts as not enforced. */
export interface StorageRuleCheck {
  readonly rule: StorageRule;
  readonly enforced: boolean;
  /** For the warning: what was found. */
  readonly detail: string;
}

/** Looks at the store that the settings name; changes nothing and never rejects for what the store answers. */
export async function checkStorageRules(settings: StorageSettings): Promise<readonly StorageRuleCheck[]> {
  const location = storageLocation(settings);
  if (location.kind === 'directory') return checkDirectory(location.path);
  const s3 = await openS3Client(location.bucket);
  try {
    return await checkBucket(s3, location.bucket);
  } finally {
    s3.destroy();
  }
}

/** Each closes a way to open a bucket to everybody. */
const PUBLIC_BLOCKS = ['BlockPublicAcls', 'IgnorePublicAcls', 'BlockPublicPolicy', 'RestrictPublicBuckets'] as const;

type Finding = Pick<StorageRuleCheck, 'enforced' | 'detail'>;

/** Groups and others of the machine may not look into it, and it is ours. */
export async function checkDirectory(path: string): Promise<readonly StorageRuleCheck[]> {
  try {
    const { mode, uid } = await timed(`look at ${path}`, stat(path));
    const bits = (mode & 0o777).toString(8).padStart(4, '0');
    return [
      { rule: 'private', enforced: (mode & 0o077) === 0, detail: `mode ${bits}` },
      { rule: 'owned', enforced: uid === process.getuid?.(), detail: `owner ${String(uid)}` },
    ];
  } catch (error) {
    const notThere = error instanceof StorageError && error.reason === 'missing';
    const detail = notThere ? 'is made with the first backup' : String(error);
    return DIRECTORY_RULES.map((rule) => ({ rule, enforced: notThere, detail }));
  }
}

async function checkBucket(s3: S3, { bucket, prefix }: S3Location): Promise<readonly StorageRuleCheck[]> {
  const target = { Bucket: bucket };
  const policy = s3.getBucketPolicy(target).then(({ Policy = '{}' }) => readBucketPolicy(Policy, bucket));
  policy.catch(() => undefined); // each rule that needs it says so
  const byPolicy = async (rule: keyof PolicyFindings, forbidden: string): Promise<Finding> => {
    const enforced = (await policy)[rule];
    return { enforced, detail: `the policy ${enforced ? 'denies' : 'does not deny'} ${forbidden}` };
  };
  const checks: Record<(typeof BUCKET_RULES)[number], () => Promise<Finding>> = {
    'tls-only': () => byPolicy('tlsOnly', 'requests without TLS'),
    'unencrypted-put-denied': () => byPolicy('unencryptedPutDenied', 'storing without encryption by the server'),
    'delete-restricted': () => byPolicy('deleteRestricted', 'everybody but the retention role to delete'),
    async 'not-public'() {
      const { PublicAccessBlockConfiguration: found = {} } = await s3.getPublicAccessBlock(target);
      const open = PUBLIC_BLOCKS.filter((block) => found[block] !== true);
      return { enforced: open.length === 0, detail: open.length === 0 ? 'blocked' : `without ${open.join(', ')}` };
    },
    async encryption() {
      const { ServerSideEncryptionConfiguration: found } = await s3.getBucketEncryption(target);
      const algorithm = found?.Rules?.[0]?.ApplyServerSideEncryptionByDefault?.SSEAlgorithm;
      return { enforced: algorithm !== undefined, detail: algorithm ?? 'no default encryption' };
    },
    async versioning() {
      const { Status = 'never enabled' } = await s3.getBucketVersioning(target);
      return { enforced: Status === 'Enabled', detail: Status };
    },
    async 'object-lock'() {
      const { ObjectLockConfiguration: found } = await s3.getObjectLockConfiguration(target);
      const { Mode, Days, Years } = found?.Rule?.DefaultRetention ?? {};
      const enforced = found?.ObjectLockEnabled === 'Enabled' && Mode !== undefined;
      const time = Days === undefined ? `${String(Years)} years` : `${String(Days)} days`;
      return { enforced, detail: enforced ? `${Mode}, ${time}` : 'no retention by default' };
    },
    async 'parts-aborted'() {
      const days = (await lifecycleRules(s3, bucket, prefix)).map(
        (rule) => rule.AbortIncompleteMultipartUpload?.DaysAfterInitiation,
      );
      return foundDays(days, 'uploads that are not complete are removed');
    },
    async 'old-versions-expire'() {
      const days = (await lifecycleRules(s3, bucket, prefix)).map(
        (rule) => rule.NoncurrentVersionExpiration?.NoncurrentDays,
      );
      return foundDays(days, 'old versions are removed');
    },
  };
  return Promise.all(BUCKET_RULES.map(async (rule) => ({ rule, ...(await checks[rule]().catch(notFoundOut)) })));
}

/** Those in force for every object of ours. */
async function lifecycleRules(s3: S3, bucket: string, prefix: string) {
  const { Rules = [] } = await s3.getBucketLifecycleConfiguration({ Bucket: bucket });
  return Rules.filter(({ Status, Filter = {} }) => {
    const { Prefix = '', ...narrower } = Filter;
    return Status === 'Enabled' && prefix.startsWith(Prefix) && Object.keys(narrower).length === 0;
  });
}

function foundDays(days: readonly (number | undefined)[], what: string): Finding {
  const found = days.filter((day) => day !== undefined);
  if (found.length === 0) return { enforced: false, detail: `no rule by which ${what}` };
  return { enforced: true, detail: `${what} after ${String(Math.min(...found))} days` };
}

/** Nothing is set, the server does not know such a thing, or we may not ask. */
function notFoundOut(error: unknown): Finding {
  const name = nameOf(error);
  if (name === 'NotImplemented') return { enforced: false, detail: 'the server does not know such a rule' };
  const unset = /^NoSuch(?!Bucket$)|NotFoundError$/.test(name);
  return { enforced: false, detail: unset ? 'nothing is set' : storageErrorOf('find out', error).message };
}
