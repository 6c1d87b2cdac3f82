/**
 * Every failure that has a name. Each boundary (HTTP, activity, MQTT) owns a table over all of them,
 * so a new code does not compile until every boundary has an answer. A retired code is never used again.
 */
export const ERROR_CODES = [
  'VALIDATION_FAILED',
  'MALFORMED_JSON',
  'MALFORMED_REQUEST',
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'NOT_FOUND',
  'METHOD_NOT_ALLOWED',
  'NOT_ACCEPTABLE',
  'REQUEST_TOO_SLOW',
  'HEADERS_TOO_LARGE',
  'PAYLOAD_TOO_LARGE',
  'UNSUPPORTED_MEDIA_TYPE',
  'FEEDER_NOT_FOUND',
  'FEEDER_DISABLED',
  'FEEDER_TREE_INVALID',
  'DEVICE_NOT_FOUND',
  'DEVICE_INVALID',
  'DISPATCH_NOT_FOUND',
  'BACKUP_NOT_FOUND',
  'DISPATCH_CONFLICT',
  'DISPATCH_UNREACHABLE',
  'DISPATCH_CLOSED',
  'IDEMPOTENCY_KEY_MISSING',
  'IDEMPOTENCY_KEY_REUSED',
  'REVISION_MISSING',
  'REVISION_CONFLICT',
  'REGISTRY_INVALID',
  'PLAN_NOT_FOUND',
  'CYCLE_NOT_FOUND',
  'CYCLE_NOT_REPLAYABLE',
  'CONTROL_LOOP_NOT_RUNNING',
  'JOB_NOT_FOUND',
  'JOB_ALREADY_RUNNING',
  'RUN_NOT_FOUND',
  'RUN_OVER',
  'SCHEDULE_NOT_FOUND',
  'MACHINE_TOKEN_NOT_FOUND',
  'TOO_MANY_REQUESTS',
  'DATABASE_UNAVAILABLE',
  'BROKER_UNAVAILABLE',
  'BROKER_STORE_UNAVAILABLE',
  'BROKER_STORE_FAULTY',
  'TEMPORAL_UNAVAILABLE',
  'STORAGE_UNAVAILABLE',
  'STORAGE_REFUSED',
  'BACKUP_UNREADABLE',
  'TIMED_OUT',
  'SHUTTING_DOWN',
  'QUARANTINED',
  'NOT_QUARANTINED',
  'RECONCILIATION_MISSING',
  'NOT_STOPPED',
  'INTERNAL',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

/** One fault of one field; `pointer` is an RFC 6901 JSON pointer into what was sent. */
export interface FieldFault {
  readonly pointer: string;
  readonly message: string;
}

/** A failure that callers can act on. Unknown failures stay plain `Error`s and are answered as `INTERNAL`. */
export class DermsError extends Error {
  override readonly name = 'DermsError';
  readonly faults: readonly FieldFault[];

  constructor(
    readonly code: ErrorCode,
    message: string,
    options: ErrorOptions & { readonly faults?: readonly FieldFault[] } = {},
  ) {
    super(message, options);
    this.faults = options.faults ?? [];
  }
}
