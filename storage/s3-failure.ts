import { StorageError, type StorageFailure } from './storage-error';

const BY_NAME: Readonly<Record<string, StorageFailure>> = {
  NoSuchKey: 'missing',
  NoSuchUpload: 'missing',
  // What HEAD makes of them all: its answer has no body that could say more.
  NotFound: 'missing',
  PreconditionFailed: 'exists',
  ConditionalRequestConflict: 'exists',
  ObjectLocked: 'locked',
  InvalidAccessKeyId: 'denied',
  XAdminUserNotFound: 'denied', // the same at versitygw, which answers 404
  CredentialsProviderError: 'denied',
  QuotaExceeded: 'full',
  InsufficientStorage: 'full',
  XMinioStorageFull: 'full',
};
const BY_STATUS: Readonly<Record<number, StorageFailure>> = {
  401: 'denied',
  403: 'denied',
  412: 'exists',
  507: 'full',
};

/** A failure of the SDK as a `StorageError` that says what was tried; a `StorageError` stays what it is. */
export function storageErrorOf(
  what: string,
  cause: unknown,
  reasons: Readonly<Partial<Record<StorageFailure, StorageFailure>>> = {},
): StorageError {
  if (cause instanceof StorageError) return cause;
  const found = BY_NAME[nameOf(cause)] ?? BY_STATUS[statusOf(cause) ?? 0] ?? 'unavailable';
  return new StorageError(reasons[found] ?? found, `cannot ${what}: ${describe(cause)}`, { cause });
}

/** The error code of the server, or the name of the error of the client. */
export const nameOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'name' in error ? String(error.name) : '';

/** HTTP status of the server's refusal; undefined when no answer came. */
export function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('$metadata' in error)) return undefined;
  const { $metadata } = error;
  if (typeof $metadata !== 'object' || $metadata === null || !('httpStatusCode' in $metadata)) return undefined;
  return typeof $metadata.httpStatusCode === 'number' ? $metadata.httpStatusCode : undefined;
}

/** Errors of several addresses of one host (`AggregateError`) have no message of their own. */
function describe(cause: unknown): string {
  const { message = '', code = '' } = cause as { message?: string; code?: string }; // whatever was thrown
  return [nameOf(cause), message === '' ? code : message].filter((text) => text !== '').join(': ');
}
