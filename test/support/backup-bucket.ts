import type { S3 } from '@aws-sdk/client-s3';
import type { VersitygwServer } from '../../local/versitygw';
import { openS3Client } from '../../storage/s3-client';

export const BACKUP_BUCKET = 'derms-backups';

/** Makes the bucket on a server that has none yet; the caller ends the client with `destroy`. */
export async function makeBackupBucket({ endpoint, accessKeyId, secretAccessKey }: VersitygwServer): Promise<S3> {
  const s3 = await openS3Client({
    ...{ bucket: BACKUP_BUCKET, prefix: '', endpoint, region: 'us-east-1', forcePathStyle: true },
    credentials: { accessKeyId, secretAccessKey },
    ...{ serverEncryption: 'none', partBytes: 5 * 1024 ** 2, partsInFlight: 1, idleMs: 10_000 },
  });
  await s3.createBucket({ Bucket: BACKUP_BUCKET });
  return s3;
}

/** What our programs are told of it. */
export const backupBucketSettings = ({ endpoint, accessKeyId, secretAccessKey }: VersitygwServer) => ({
  BACKUP_STORAGE: `s3://${BACKUP_BUCKET}`,
  BACKUP_S3_ENDPOINT: endpoint,
  BACKUP_S3_FORCE_PATH_STYLE: 'true',
  BACKUP_S3_ACCESS_KEY_ID: accessKeyId,
  BACKUP_S3_SECRET_ACCESS_KEY: secretAccessKey,
  BACKUP_S3_PART_MIB: '5',
});
