import type { S3 } from '@aws-sdk/client-s3';
import { requireObjectKey } from './object-key';
import type { ObjectStorage, StoredObject } from './port';
import { openS3Client, type S3Location } from './s3-client';
import { download } from './s3-download';
import { nameOf, storageErrorOf } from './s3-failure';
import { removeUpload, upload } from './s3-upload';

/** Objects in a bucket, below a prefix. Nothing is asked of the server before the first call. */
export async function createS3Storage(location: S3Location): Promise<ObjectStorage> {
  const s3 = await openS3Client(location);
  const { bucket, prefix } = location;
  const targetOf = (key: string) => ({ Bucket: bucket, Key: `${prefix}${requireObjectKey(key)}` });

  const head = async (key: string): Promise<StoredObject | null> => {
    try {
      const { ContentLength, LastModified } = await s3.headObject(targetOf(key));
      return describe(key, ContentLength, LastModified);
    } catch (cause) {
      const error = storageErrorOf(`look at ${key}`, cause);
      if (error.reason === 'missing') return null;
      throw error;
    }
  };

  return {
    description: `s3 bucket ${bucket}/${prefix}`.replace(/\/$/, ''),
    head,

    async put(key, content, options = {}) {
      requireObjectKey(key);
      return upload(s3, location, key, content, options);
    },

    async get(key, { signal } = {}) {
      signal?.throwIfAborted();
      return download(s3, targetOf(key), key, signal);
    },

    async *list(wanted) {
      for (let token: string | undefined, more = true; more;) {
        const page = await s3
          .listObjectsV2({ Bucket: bucket, Prefix: `${prefix}${wanted}`, ContinuationToken: token })
          .catch((cause: unknown) => fail(`list ${wanted}`, cause));
        for (const { Key = '', Size, LastModified } of page.Contents ?? []) {
          yield describe(Key.slice(prefix.length), Size, LastModified);
        }
        token = page.NextContinuationToken;
        more = token !== undefined;
      }
    },

    async remove(key) {
      try {
        await s3.deleteObject(targetOf(key));
      } catch (cause) {
        const forbidden = nameOf(cause) === 'AccessDenied'; // by object lock or the bucket's policy
        const error = storageErrorOf(`remove ${key}`, cause, forbidden ? { denied: 'locked' } : {});
        if (error.reason !== 'missing') throw error;
      }
    },

    async sweepParts(olderThanMs, below = '') {
      const before = Date.now() - olderThanMs;
      let removed = 0;
      for await (const { path, uploadId, startedAtMs } of uploadsOf(s3, bucket, `${prefix}${below}`)) {
        const target = { Bucket: bucket, Key: path };
        // An upload may go on for longer than that: what counts is when its last part came.
        if (startedAtMs >= before || (await lastPartAtMs(s3, target, uploadId)) >= before) continue;
        await removeUpload(s3, target, uploadId).catch((cause: unknown) => fail(`remove the parts of ${path}`, cause));
        removed += 1;
      }
      return removed;
    },
  };
}

interface OpenUpload {
  readonly path: string;
  readonly uploadId: string;
  readonly startedAtMs: number;
}

async function* uploadsOf(s3: S3, bucket: string, prefix: string): AsyncGenerator<OpenUpload> {
  let next: { readonly KeyMarker?: string; readonly UploadIdMarker?: string } | undefined = {};
  while (next !== undefined) {
    const page: Awaited<ReturnType<typeof listUploads>> = await listUploads(s3, bucket, prefix, next);
    for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
      if (Key === undefined || UploadId === undefined) continue;
      yield { path: Key, uploadId: UploadId, startedAtMs: Initiated?.getTime() ?? 0 };
    }
    const { IsTruncated, NextKeyMarker, NextUploadIdMarker } = page;
    next =
      IsTruncated === true ? { KeyMarker: NextKeyMarker ?? '', UploadIdMarker: NextUploadIdMarker ?? '' } : undefined;
  }
}

const listUploads = (s3: S3, bucket: string, prefix: string, from: object) =>
  s3
    .listMultipartUploads({ Bucket: bucket, Prefix: prefix, ...from })
    .catch((cause: unknown) => fail('list the uploads that are not complete', cause));

async function lastPartAtMs(s3: S3, target: { Bucket: string; Key: string }, UploadId: string): Promise<number> {
  let latest = 0;
  let marker: string | undefined;
  do {
    const page = await s3
      .listParts({ ...target, UploadId, PartNumberMarker: marker })
      .catch((cause: unknown) => fail(`list the parts of ${target.Key}`, cause));
    for (const { LastModified } of page.Parts ?? []) latest = Math.max(latest, LastModified?.getTime() ?? 0);
    marker = page.IsTruncated === true ? page.NextPartNumberMarker : undefined;
  } while (marker !== undefined);
  return latest;
}

const describe = (key: string, bytes = 0, at?: Date): StoredObject => ({ key, bytes, storedAtMs: at?.getTime() ?? 0 });

function fail(what: string, cause: unknown): never {
  throw storageErrorOf(what, cause);
}
