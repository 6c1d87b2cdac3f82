import { StorageError, type StorageFailure } from './storage-error';

/** A file system that does not answer for this long (a network one whose server is away) counts as away. */
const LONGEST_CALL_MS = 120_000;

const REASONS: Readonly<Record<string, StorageFailure>> = {
  ENOENT: 'missing',
  ENOTDIR: 'missing',
  EEXIST: 'exists',
  EACCES: 'denied',
  EPERM: 'denied',
  EROFS: 'denied',
  EISDIR: 'denied',
  ENOSPC: 'full',
  EDQUOT: 'full',
  EFBIG: 'full',
};

interface CallOptions {
  /** What an error code means here, where it differs from what it means elsewhere. */
  readonly reasons?: Readonly<Record<string, StorageFailure>>;
  readonly withinMs?: number;
}

/**
 * The call's outcome, in bounded time; its failure as a `StorageError` that says what was tried.
 *
 * @throws {StorageError}
 */
export async function timed<T>(
  what: string,
  call: Promise<T>,
  { reasons = {}, withinMs = LONGEST_CALL_MS }: CallOptions = {},
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new StorageError('unavailable', `cannot ${what}: no answer in ${String(withinMs / 1000)} s`));
    }, withinMs);
  });
  try {
    return await Promise.race([call, tooLate]);
  } catch (cause) {
    if (cause instanceof StorageError) throw cause;
    if (!hasCode(cause)) throw cause;
    const reason = reasons[cause.code] ?? REASONS[cause.code] ?? 'unavailable';
    throw new StorageError(reason, `cannot ${what}: ${cause.message}`, { cause });
  } finally {
    clearTimeout(timer);
  }
}

const hasCode = (error: unknown): error is { readonly code: string; readonly message: string } =>
  typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string';
