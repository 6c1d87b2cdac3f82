import { DermsError } from '../../domain/errors';

/**
 * Why an encrypted object was refused:
 * - `not-encrypted`: it does not begin as one; `unknown-version`: it was written by a newer program;
 * - `unknown-key`: the key ring has no key of its key id; `wrong-key`: it has one, but not the one that was used;
 * - `header-altered`; `other-context`: it is sound, but was stored under another name;
 * - `frame-altered`; `frame-out-of-place`: moved, repeated or left out; `cut`: it ends too early; `appended`: or too late.
 */
export type DecryptionFailure =
  | 'not-encrypted'
  | 'unknown-version'
  | 'unknown-key'
  | 'wrong-key'
  | 'header-altered'
  | 'other-context'
  | 'frame-altered'
  | 'frame-out-of-place'
  | 'cut'
  | 'appended';

/** An encrypted object that cannot be trusted. Reading it again from the same place does not help. */
export class DecryptionError extends DermsError {
  constructor(
    readonly reason: DecryptionFailure,
    message: string,
    options?: ErrorOptions,
  ) {
    super('BACKUP_UNREADABLE', message, options);
  }
}
