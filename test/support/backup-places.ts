import { chownSync, mkdirSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { startVersitygw } from '../../local/versitygw';
import { unprivilegedUser } from '../../servers/os-user';
import { createDirectoryStorage } from '../../storage/directory';
import { createS3Storage } from '../../storage/s3';
import type { ObjectStorage } from '../../storage/port';
import { BACKUP_BUCKET, backupBucketLocation, backupBucketSettings, makeBackupBucket } from './backup-bucket';
import { collect, inChunks } from './chunks';

/** A store of backups, as the cases of a test use it whatever it is made of. */
export interface BackupPlace {
  readonly storage: ObjectStorage;
  /** How a program of ours is told of it. */
  readonly settings: Readonly<Record<string, string>>;
  /** Puts an object, or another content in the place of one, as the server that archives there would. */
  write(key: string, bytes: Buffer): Promise<void>;
  /** Lets an object look as if it had been stored then. */
  age(key: string, storedAt: string): void;
  close(): Promise<void>;
}

/** Makes one below a folder of the test's own. */
export type MakePlace = (folder: string) => BackupPlace | Promise<BackupPlace>;

/** A directory, which a PostgreSQL that does not run as us may write to. */
export const inDirectory: MakePlace = (folder) => {
  const root = join(folder, 'backups');
  mkdirSync(join(root, '.parts'), { recursive: true, mode: 0o700 });
  const osUser = unprivilegedUser('postgres');
  if (osUser) for (const path of [root, join(root, '.parts')]) chownSync(path, osUser.uid, osUser.gid);
  const storage = createDirectoryStorage(root);
  return {
    storage,
    settings: { BACKUP_STORAGE: pathToFileURL(root).href },
    write: async (key, bytes) => {
      await storage.put(key, inChunks(bytes));
      if (osUser) chownSync(join(root, key), osUser.uid, osUser.gid);
    },
    age: (key, storedAt) => {
      utimesSync(join(root, key), new Date(storedAt), new Date(storedAt));
    },
    close: () => Promise.resolve(),
  };
};

/** A bucket of a real S3 server, which is ended with the place. Parts are of the smallest size that S3 takes. */
export const inBucket: MakePlace = async (folder) => {
  const server = await startVersitygw({ folder: join(folder, 's3') });
  (await makeBackupBucket(server)).destroy();
  const storage = await createS3Storage(backupBucketLocation(server));
  return {
    storage,
    settings: backupBucketSettings(server),
    write: async (key, bytes) => {
      await storage.put(key, inChunks(bytes));
    },
    age: (key, storedAt) => {
      utimesSync(join(folder, 's3/data', BACKUP_BUCKET, key), new Date(storedAt), new Date(storedAt));
    },
    close: async () => {
      await server.stop();
    },
  };
};

export const read = async ({ storage }: Pick<BackupPlace, 'storage'>, key: string): Promise<Buffer> =>
  collect(await storage.get(key));

export const flipABit = (bytes: Buffer): Buffer => {
  const flipped = Buffer.from(bytes);
  flipped.writeUInt8(flipped.readUInt8(flipped.length >> 1) ^ 1, flipped.length >> 1);
  return flipped;
};

/** What lies there, in the order of keys. */
export async function keysIn(storage: ObjectStorage, prefix = ''): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of storage.list(prefix)) keys.push(key);
  return keys;
}
