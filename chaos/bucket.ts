import type { Environment } from '../local/environments';
import type { VersitygwServer } from '../local/versitygw';
import { LOOPBACK } from '../servers/free-port';
import { openS3Client } from '../storage/s3-client';

const BUCKET = 'derms-backups';

/** Makes a bucket for backups; answers what our programs are told of it, who reach it at that port. */
export async function backupBucket(server: VersitygwServer, port: number): Promise<Environment> {
  const { endpoint, accessKeyId, secretAccessKey } = server;
  const s3 = await openS3Client({
    ...{ bucket: BUCKET, prefix: '', endpoint, region: 'us-east-1', forcePathStyle: true, serverEncryption: 'none' },
    credentials: { accessKeyId, secretAccessKey },
    ...{ partBytes: 5 * 1024 ** 2, partsInFlight: 2, idleMs: 10_000 },
  });
  await s3.createBucket({ Bucket: BUCKET });
  s3.destroy();
  return {
    BACKUP_STORAGE: `s3://${BUCKET}`,
    BACKUP_S3_ENDPOINT: `http://${LOOPBACK}:${String(port)}`,
    BACKUP_S3_FORCE_PATH_STYLE: 'true',
    BACKUP_S3_ACCESS_KEY_ID: accessKeyId,
    BACKUP_S3_SECRET_ACCESS_KEY: secretAccessKey,
    BACKUP_S3_PART_MIB: '5',
  };
}
