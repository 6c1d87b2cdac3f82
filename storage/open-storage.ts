import { createDirectoryStorage } from './directory';
import { storageLocation, type StorageSettings } from './location';
import type { ObjectStorage } from './port';
import { createS3Storage } from './s3';

/**
 * The store that the settings name. Neither disk nor server is touched before the first call; the AWS SDK (25 MB of
 * memory, a second on a busy machine) is loaded only for a bucket.
 *
 * @throws {Error} when the settings do not fit together.
 */
export async function openStorage(settings: StorageSettings): Promise<ObjectStorage> {
  const location = storageLocation(settings);
  return location.kind === 'directory' ? createDirectoryStorage(location.path) : createS3Storage(location.bucket);
}
