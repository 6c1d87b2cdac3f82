import { fileURLToPath } from 'node:url';
import type { SettingName, Settings } from '../config/schema';
import type { S3Location } from './s3-client';

/** What a process that only reads or writes backups has to be told. */
export const STORAGE_SETTINGS = [
  'NODE_ENV',
  'BACKUP_STORAGE',
  'BACKUP_S3_ENDPOINT',
  'BACKUP_S3_REGION',
  'BACKUP_S3_FORCE_PATH_STYLE',
  'BACKUP_S3_SSE',
  'BACKUP_S3_SSE_KMS_KEY_ID',
  'BACKUP_S3_ACCESS_KEY_ID',
  'BACKUP_S3_SECRET_ACCESS_KEY',
  'BACKUP_S3_PART_MIB',
  'BACKUP_S3_PARTS_IN_FLIGHT',
  'BACKUP_S3_IDLE_TIMEOUT_MS',
] as const satisfies readonly SettingName[];

export type StorageSettings = Pick<Settings, (typeof STORAGE_SETTINGS)[number]>;

export type StorageLocation =
  { readonly kind: 'directory'; readonly path: string } | { readonly kind: 's3'; readonly bucket: S3Location };

const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const PREFIX = /^([A-Za-z0-9_][A-Za-z0-9._=+@-]*\/)*$/;
const MIB = 1024 ** 2;

/**
 * Where the settings say that backups lie.
 *
 * @throws {Error} naming the settings that do not fit together.
 */
export function storageLocation(settings: StorageSettings): StorageLocation {
  const { BACKUP_STORAGE: address } = settings;
  if (address === undefined) throw new Error('BACKUP_STORAGE: is required and missing');
  const url = new URL(address);
  return url.protocol === 'file:'
    ? { kind: 'directory', path: fileURLToPath(url) }
    : { kind: 's3', bucket: s3Location(url, settings) };
}

function s3Location({ host, pathname }: URL, settings: StorageSettings): S3Location {
  const { BACKUP_S3_ACCESS_KEY_ID: accessKeyId, BACKUP_S3_SECRET_ACCESS_KEY: secretAccessKey } = settings;
  const { BACKUP_S3_ENDPOINT: endpoint, BACKUP_S3_SSE_KMS_KEY_ID: kmsKeyId } = settings;
  const prefix = pathname.replace(/^\/+/, '').replace(/([^/])$/, '$1/');
  const faults = [
    !BUCKET.test(host) && `BACKUP_STORAGE: ${JSON.stringify(host)} is no name of a bucket`,
    !PREFIX.test(prefix) && `BACKUP_STORAGE: ${JSON.stringify(prefix)} is no prefix of keys`,
    (accessKeyId === undefined) !== (secretAccessKey === undefined) &&
      'BACKUP_S3_ACCESS_KEY_ID and BACKUP_S3_SECRET_ACCESS_KEY: one needs the other',
    kmsKeyId !== undefined &&
      settings.BACKUP_S3_SSE !== 'aws:kms' &&
      'BACKUP_S3_SSE_KMS_KEY_ID: needs BACKUP_S3_SSE=aws:kms',
    settings.NODE_ENV === 'production' && isUnencrypted(endpoint) && 'BACKUP_S3_ENDPOINT: production needs https',
  ].filter((fault) => fault !== false);
  if (faults.length > 0) throw new Error(faults.join('; '));
  return {
    bucket: host,
    prefix,
    region: settings.BACKUP_S3_REGION,
    forcePathStyle: settings.BACKUP_S3_FORCE_PATH_STYLE,
    serverEncryption: settings.BACKUP_S3_SSE,
    partBytes: settings.BACKUP_S3_PART_MIB * MIB,
    partsInFlight: settings.BACKUP_S3_PARTS_IN_FLIGHT,
    idleMs: settings.BACKUP_S3_IDLE_TIMEOUT_MS,
    ...(endpoint !== undefined && { endpoint }),
    ...(kmsKeyId !== undefined && { kmsKeyId }),
    ...(accessKeyId !== undefined &&
      secretAccessKey !== undefined && { credentials: { accessKeyId, secretAccessKey } }),
  };
}

/** Plain HTTP over a real network; a sidecar on loopback may speak it. */
function isUnencrypted(endpoint: string | undefined): boolean {
  if (endpoint === undefined) return false;
  const { protocol, hostname } = new URL(endpoint);
  return protocol === 'http:' && !['127.0.0.1', 'localhost', '[::1]'].includes(hostname);
}
