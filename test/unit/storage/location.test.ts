import { loadSomeSettings } from '../../../config/load';
import { storageLocation, STORAGE_SETTINGS, type StorageLocation } from '../../../storage/location';
import { openStorage } from '../../../storage/open-storage';

const read = (environment: Record<string, string>): StorageLocation =>
  storageLocation(loadSomeSettings(STORAGE_SETTINGS, environment, '/nowhere/.env'));

describe('where backups lie', () => {
  it('is a directory', () => {
    expect(read({ BACKUP_STORAGE: 'file:///var/lib/derms/my%20backups' })).toEqual({
      kind: 'directory',
      path: '/var/lib/derms/my backups',
    });
  });

  it('is a bucket and a prefix, with parts of 16 MiB, four at once', () => {
    expect(read({ BACKUP_STORAGE: 's3://derms-backups/prod/eu' })).toEqual({
      kind: 's3',
      bucket: {
        bucket: 'derms-backups',
        prefix: 'prod/eu/',
        region: 'us-east-1',
        forcePathStyle: false,
        serverEncryption: 'none',
        partBytes: 16_777_216,
        partsInFlight: 4,
        idleMs: 60_000,
      },
    });
    expect(read({ BACKUP_STORAGE: 's3://derms-backups' })).toMatchObject({ bucket: { prefix: '' } });
  });

  it('takes what another server than Amazon’s needs', () => {
    const environment = {
      BACKUP_STORAGE: 's3://derms-backups/',
      BACKUP_S3_ENDPOINT: 'https://s3.example.com',
      BACKUP_S3_FORCE_PATH_STYLE: 'true',
      BACKUP_S3_SSE: 'aws:kms',
      BACKUP_S3_SSE_KMS_KEY_ID: 'alias/derms',
      BACKUP_S3_ACCESS_KEY_ID: 'id',
      BACKUP_S3_SECRET_ACCESS_KEY: 'secret',
    };
    expect(read(environment)).toMatchObject({
      bucket: {
        endpoint: 'https://s3.example.com',
        forcePathStyle: true,
        serverEncryption: 'aws:kms',
        kmsKeyId: 'alias/derms',
        credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
      },
    });
  });

  it.each`
    environment                                                                                       | says
    ${{}}                                                                                             | ${'BACKUP_STORAGE: is required and missing'}
    ${{ BACKUP_STORAGE: '/var/backups' }}                                                             | ${'BACKUP_STORAGE: is neither file:///path nor s3://bucket/prefix'}
    ${{ BACKUP_STORAGE: 'https://bucket' }}                                                           | ${'BACKUP_STORAGE: is neither file:///path nor s3://bucket/prefix'}
    ${{ BACKUP_STORAGE: 's3://My_Bucket' }}                                                           | ${'is no name of a bucket'}
    ${{ BACKUP_STORAGE: 's3://bucket/a//b' }}                                                         | ${'is no prefix of keys'}
    ${{ BACKUP_STORAGE: 's3://bucket', BACKUP_S3_ACCESS_KEY_ID: 'id' }}                               | ${'one needs the other'}
    ${{ BACKUP_STORAGE: 's3://bucket', BACKUP_S3_SSE_KMS_KEY_ID: 'id' }}                              | ${'BACKUP_S3_SSE_KMS_KEY_ID: needs BACKUP_S3_SSE=aws:kms'}
    ${{ BACKUP_STORAGE: 's3://bucket', BACKUP_S3_ENDPOINT: 'http://s3.lan', NODE_ENV: 'production' }} | ${'BACKUP_S3_ENDPOINT: production needs https'}
  `('refuses $environment', ({ environment, says }: { environment: Record<string, string>; says: string }) => {
    expect(() => read(environment)).toThrow(says);
  });

  it('is opened without touching disk or network', async () => {
    const open = async (address: string) =>
      (await openStorage(loadSomeSettings(STORAGE_SETTINGS, { BACKUP_STORAGE: address }, '/nowhere/.env'))).description;
    await expect(open('file:///nowhere/backups')).resolves.toBe('directory /nowhere/backups');
    await expect(open('s3://derms-backups/prod')).resolves.toBe('s3 bucket derms-backups/prod');
  });
});
