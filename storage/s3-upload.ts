import { randomUUID } from 'node:crypto';
import type { CompletedPart, S3 } from '@aws-sdk/client-s3';
import { inParts, partMemory, type Part } from './in-parts';
import type { PutOptions, StoredObject } from './port';
import type { S3Location } from './s3-client';
import { storageErrorOf } from './s3-failure';
import { StorageError } from './storage-error';
import { untilAborted } from './until-aborted';

/** S3 takes no more of them. */
const MOST_PARTS = 10_000;
const REMOVE_ATTEMPTS = 3;
/** Marks each put in the object's metadata, so that a lost answer can be told from a lost request. */
const PUT_ID = 'derms-put-id';

/** One put on its way. */
interface Put {
  readonly s3: S3;
  readonly location: S3Location;
  /** As the caller names it. */
  readonly key: string;
  readonly id: string;
  readonly target: { readonly Bucket: string; readonly Key: string };
  readonly condition: { readonly IfNoneMatch?: '*' };
  /** Fires when the caller gives up or a part fails; its reason is what the put rejects with. */
  readonly signal: AbortSignal;
  readonly fail: (error: unknown) => void;
}

/**
 * Stores `content` under `location.prefix + key`: in one request when it fits one part, else as a multipart upload that
 * the server puts together only at the end. When this rejects no request of it is under way any more and no part is left,
 * unless the server cannot be reached.
 *
 * It is no `Upload` of `@aws-sdk/lib-storage`: that one rejects an abort while parts are still on their way.
 *
 * @throws {StorageError}, or the content's own error, or the signal's reason.
 */
export async function upload(
  s3: S3,
  location: S3Location,
  key: string,
  content: AsyncIterable<Uint8Array>,
  options: PutOptions,
): Promise<StoredObject> {
  const failing = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, failing.signal]) : failing.signal;
  const put: Put = {
    s3,
    location,
    key,
    id: randomUUID(),
    target: { Bucket: location.bucket, Key: `${location.prefix}${key}` },
    condition: options.ifAbsent === true ? { IfNoneMatch: '*' } : {},
    signal,
    fail: (error) => failing.abort(error),
  };
  try {
    const bytes = await send(put, content, options.onProgress ?? (() => undefined));
    return await confirm(put, bytes);
  } catch (error) {
    // What was aborted rejects in many ways; why it was is in the signal.
    throw signal.aborted ? signal.reason : error;
  }
}

async function send(
  put: Put,
  content: AsyncIterable<Uint8Array>,
  onProgress: (bytes: number) => void,
): Promise<number> {
  const memory = partMemory(put.location.partBytes);
  const underWay = new Set<Promise<void>>();
  const stored: CompletedPart[] = [];
  let uploadId: string | undefined;
  let bytes = 0;
  try {
    for await (const part of inParts(untilAborted(content, put.signal), memory)) {
      if (part.last && part.number === 1) {
        await putWhole(put, part.bytes);
        onProgress(part.bytes.length);
        return part.bytes.length;
      }
      uploadId ??= await begin(put);
      if (underWay.size >= put.location.partsInFlight) await Promise.race(underWay);
      const sending = sendPart(put, uploadId, part).then((completed) => {
        underWay.delete(sending);
        if (completed === null) return;
        stored.push(completed);
        bytes += part.bytes.length;
        memory.giveBack(part.bytes);
        onProgress(bytes);
      });
      underWay.add(sending);
    }
    await Promise.all(underWay);
    put.signal.throwIfAborted();
    await complete(put, uploadId, stored);
    return bytes;
  } catch (error) {
    put.fail(error); // ends the parts under way
    await Promise.all(underWay);
    if (uploadId !== undefined) await removeUpload(put.s3, put.target, uploadId).catch(() => undefined); // left to the sweep
    throw error;
  }
}

/** How the server encrypts it, and whose it is. */
const attributes = ({ id, location: { serverEncryption, kmsKeyId } }: Put) => ({
  ContentType: 'application/octet-stream',
  Metadata: { [PUT_ID]: id },
  ...(serverEncryption !== 'none' && { ServerSideEncryption: serverEncryption }),
  ...(kmsKeyId !== undefined && { SSEKMSKeyId: kmsKeyId }),
});

async function putWhole(put: Put, bytes: Buffer): Promise<void> {
  const { s3, target, condition, signal, key } = put;
  try {
    await s3.putObject({ ...target, ...condition, ...attributes(put), Body: bytes }, { abortSignal: signal });
  } catch (error) {
    const arrived = await isOurs(put);
    if (arrived && !signal.aborted) return;
    if (arrived) await s3.deleteObject(target).catch(() => undefined); // given up while the answer was on its way
    throw storageErrorOf(`store ${key}`, error);
  }
}

async function begin(put: Put): Promise<string> {
  const { s3, target, signal, key } = put;
  try {
    const checksums = (await s3.config.requestChecksumCalculation()) === 'WHEN_SUPPORTED';
    const { UploadId } = await s3.createMultipartUpload(
      { ...target, ...attributes(put), ...(checksums && { ChecksumAlgorithm: 'CRC32' }) },
      { abortSignal: signal },
    );
    if (UploadId === undefined) throw new StorageError('unavailable', `the server gave the upload of ${key} no id`);
    return UploadId;
  } catch (error) {
    throw storageErrorOf(`begin the upload of ${key}`, error);
  }
}

/** Never rejects: a failure ends the whole put, at once, also while its source is silent. */
async function sendPart(put: Put, uploadId: string, part: Part): Promise<CompletedPart | null> {
  const { s3, target, signal, key, fail } = put;
  try {
    if (part.number > MOST_PARTS) throw tooLarge(put);
    const { ETag, ChecksumCRC32 } = await s3.uploadPart(
      { ...target, UploadId: uploadId, PartNumber: part.number, Body: part.bytes },
      { abortSignal: signal },
    );
    return { PartNumber: part.number, ETag, ...(ChecksumCRC32 !== undefined && { ChecksumCRC32 }) };
  } catch (error) {
    if (!signal.aborted) fail(storageErrorOf(`send part ${String(part.number)} of ${key}`, error));
    return null;
  }
}

const tooLarge = ({ key, location: { partBytes } }: Put): StorageError =>
  new StorageError(
    'full',
    `${key} is larger than ${String(MOST_PARTS)} parts of ${String(partBytes / 1024 ** 2)} MiB; raise BACKUP_S3_PART_MIB`,
  );

async function complete(put: Put, UploadId: string | undefined, stored: CompletedPart[]): Promise<void> {
  const Parts = stored.sort((a, b) => (a.PartNumber ?? 0) - (b.PartNumber ?? 0));
  try {
    await put.s3.completeMultipartUpload({ ...put.target, ...put.condition, UploadId, MultipartUpload: { Parts } });
  } catch (error) {
    if (!(await isOurs(put))) throw storageErrorOf(`complete ${put.key}`, error);
  }
}

/** Looks at what is stored now; what is ours but not as long as what was sent is removed again. */
async function confirm({ s3, target, id, key }: Put, bytes: number): Promise<StoredObject> {
  const found = await s3.headObject(target).catch((cause: unknown) => {
    throw storageErrorOf(`look at ${key} after it was stored`, cause, { missing: 'damaged' });
  });
  const stored = { key, bytes: found.ContentLength ?? 0, storedAtMs: found.LastModified?.getTime() ?? 0 };
  if (stored.bytes === bytes || found.Metadata?.[PUT_ID] !== id) return stored;
  await s3.deleteObject(target).catch(() => undefined);
  throw new StorageError('damaged', `${String(bytes)} bytes were sent as ${key}, ${String(stored.bytes)} were stored`);
}

/** Whether the object that is there is the one of this put: after a failure only the answer may have been lost. */
async function isOurs({ s3, target, id }: Put): Promise<boolean> {
  try {
    return (await s3.headObject(target)).Metadata?.[PUT_ID] === id;
  } catch {
    return false;
  }
}

/**
 * Removes the parts of an upload. A part that was on its way may arrive after the first call: it is asked again until
 * the server does not know the upload any more.
 */
export async function removeUpload(s3: S3, target: Put['target'], UploadId: string): Promise<void> {
  for (let attempt = 1; attempt <= REMOVE_ATTEMPTS; attempt += 1) {
    try {
      await s3.abortMultipartUpload({ ...target, UploadId });
      await s3.listParts({ ...target, UploadId });
    } catch (error) {
      if (storageErrorOf('remove the upload', error).reason === 'missing') return;
      throw error;
    }
  }
}
