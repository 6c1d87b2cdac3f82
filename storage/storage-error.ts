import { DermsError, type ErrorCode } from '../domain/errors';

/**
 * Why a store did not do what it was asked:
 * - `missing`: there is no such object; `exists`: there is one already, and `ifAbsent` was asked for;
 * - `locked`: the object may not be removed (object lock, bucket policy, immutable file);
 * - `denied`: credentials or permissions do not suffice; `full`: no room is left, or a quota is used up;
 * - `unavailable`: no answer in time, or a failure that may pass; `damaged`: what was read is not what was stored.
 */
export type StorageFailure = 'missing' | 'exists' | 'locked' | 'denied' | 'full' | 'unavailable' | 'damaged';

const CODES = {
  missing: 'STORAGE_REFUSED',
  exists: 'STORAGE_REFUSED',
  locked: 'STORAGE_REFUSED',
  denied: 'STORAGE_UNAVAILABLE',
  full: 'STORAGE_UNAVAILABLE',
  unavailable: 'STORAGE_UNAVAILABLE',
  damaged: 'STORAGE_UNAVAILABLE',
} as const satisfies Record<StorageFailure, ErrorCode>;

/** A failure of the store; what trying again cannot heal carries another error code than what it may. */
export class StorageError extends DermsError {
  constructor(
    readonly reason: StorageFailure,
    message: string,
    options?: ErrorOptions,
  ) {
    super(CODES[reason], message, options);
  }
}
