import type { S3 } from '@aws-sdk/client-s3';
import type { VersitygwServer } from '../../local/versitygw';
import { openS3Client, type S3Location } from '../../storage/s3-client';

export const BACKUP_BUCKET = 'derms-backups';

/** Parts are of the smallest size that S3 takes. */
export const backupBucketLocation = ({ endpoint, accessKeyId, secretAccessKey }: VersitygwServer): S3Location => ({
  ...{
    bucket: BACKUP_BUCKET,
    prefix: '',
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    serverEncryption: 'none',
  },
  credentials: { accessKeyId, secretAccessKey },
  ...{ partBytes: 5 * 1024 ** 2, partsInFlight: 2, idleMs: 10_000 },
});

/** Makes the bucket on a server that has none yet; the caller ends the client with `destroy`. */
export async function makeBackupBucket(server: VersitygwServer): Promise<S3> {
  const s3 = await openS3Client(backupBucketLocation(server));
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
