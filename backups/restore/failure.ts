import { DecryptionError } from '../../storage/encryption/decryption-error';

export const RESTORE_FAILURES = [
  /** The target is a production server, or holds what no restore of ours has made. */
  'RESTORE_TARGET_REFUSED',
  /** The target's role may not do what a restore does. */
  'RESTORE_NOT_ALLOWED',
  /** Stored bytes are not those of the manifest. */
  'BACKUP_ALTERED',
  /** What was restored is not what was backed up. */
  'RESTORE_DIFFERS',
  /** A copy that is damaged on purpose, or read with a wrong key, was taken. */
  'NEGATIVE_CONTROL_PASSED',
  /** The application does not run on what was restored. */
  'RESTORED_APP_FAILED',
  /** The log that was archived ends, or has a gap, before the moment that was asked for. */
  'RECOVERY_FELL_SHORT',
  /** It took longer, or would lose more, than was promised. */
  'RESTORE_TARGET_MISSED',
  /** There is nothing that could be restored. */
  'NO_BACKUP',
] as const;

/** Of these the backup itself is the cause, and not the target or the drill. */
const BAD_BACKUP: readonly string[] = ['BACKUP_ALTERED', 'RESTORE_DIFFERS', 'RESTORED_APP_FAILED'];

/** Whether a failed drill says something of the backup; a store that is away or a full disk do not. */
export const saysTheBackupIsBad = (error: unknown): boolean =>
  error instanceof DecryptionError || (error instanceof RestoreFailure && BAD_BACKUP.includes(error.code));

/** A restore that did not succeed, for a reason that has a name. Trying again does not help. */
export class RestoreFailure extends Error {
  override readonly name = 'RestoreFailure';

  constructor(
    readonly code: (typeof RESTORE_FAILURES)[number],
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
