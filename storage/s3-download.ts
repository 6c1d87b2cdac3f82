import { setTimeout as sleep } from 'node:timers/promises';
import type { GetObjectCommandOutput, S3 } from '@aws-sdk/client-s3';
import { storageErrorOf } from './s3-failure';
import { StorageError } from './storage-error';
import { untilAborted } from './until-aborted';

/** Failures in a row, without a byte in between, after which we give up. */
const ATTEMPTS = 4;
const PAUSE_MS = 500;

/**
 * Opens an object and passes its content on. A connection that breaks, or that the server closes because the reader was
 * busy for long (pg_restore builds an index), is opened again where it broke, at the same version of the object.
 *
 * @throws {StorageError} `missing` at once; later `unavailable` when the connection breaks again and again, `damaged` when
 * the content ends early as often.
 */
export async function download(
  s3: S3,
  target: { readonly Bucket: string; readonly Key: string },
  key: string,
  signal: AbortSignal | undefined,
): Promise<AsyncIterable<Uint8Array>> {
  const call = signal ? { abortSignal: signal } : {};
  const open = async (from: number, etag: string | undefined): Promise<GetObjectCommandOutput> => {
    const range = from > 0 ? { Range: `bytes=${String(from)}-`, IfMatch: etag } : {};
    try {
      return await s3.getObject({ ...target, ...range }, call);
    } catch (error) {
      signal?.throwIfAborted();
      throw storageErrorOf(`read ${key}`, error, { exists: 'damaged' }); // If-Match failed: it is another object by now
    }
  };
  const first = await open(0, undefined);
  return untilAborted(withReopening(first, open, key), signal);
}

async function* withReopening(
  first: GetObjectCommandOutput,
  open: (from: number, etag: string | undefined) => Promise<GetObjectCommandOutput>,
  key: string,
): AsyncGenerator<Uint8Array> {
  const total = first.ContentLength;
  if (total === undefined) throw new StorageError('unavailable', `the server does not say how long ${key} is`);
  let read = 0;
  let failures = 0;
  for (let answer = first; ; answer = await reopen(read)) {
    try {
      for await (const chunk of chunksOf(answer)) {
        read += chunk.byteLength;
        failures = 0;
        yield chunk;
      }
      if (read === total) return;
      if (read > total) throw new StorageError('damaged', `${key} has more than its ${String(total)} bytes`);
      countFailure(undefined);
    } catch (error) {
      if (error instanceof StorageError) throw error;
      countFailure(error);
    }
  }

  function countFailure(cause: unknown): void {
    failures += 1;
    if (failures < ATTEMPTS) return;
    // A connection that breaks says nothing of the object; an answer that ends early, as if it were all, does.
    const reason = cause === undefined ? 'damaged' : 'unavailable';
    throw new StorageError(reason, `${key} ended after ${String(read)} of ${String(total)} bytes`, { cause });
  }

  async function reopen(from: number): Promise<GetObjectCommandOutput> {
    await sleep(PAUSE_MS * failures);
    const answer = await open(from, first.ETag);
    const fits = from === 0 || answer.ContentRange?.startsWith(`bytes ${String(from)}-`) === true;
    if (!fits) throw new StorageError('damaged', `the server does not continue ${key} at byte ${String(from)}`);
    return answer;
  }
}

/** In Node the body is a stream of buffers, whose end before its length is an error of the connection. */
const chunksOf = ({ Body }: GetObjectCommandOutput): AsyncIterable<Uint8Array> => Body as AsyncIterable<Uint8Array>;
