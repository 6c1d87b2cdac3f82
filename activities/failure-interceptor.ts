import { ApplicationFailure } from '@temporalio/common';
import type { ActivityInboundCallsInterceptor } from '@temporalio/worker';
import { DermsError, type ErrorCode } from '../domain/errors';

/** Whether trying again can help; a new code does not compile until it has an answer here. */
const RETRYABLE = {
  VALIDATION_FAILED: false,
  MALFORMED_JSON: false,
  MALFORMED_REQUEST: false,
  UNAUTHENTICATED: false,
  FORBIDDEN: false,
  NOT_FOUND: false,
  METHOD_NOT_ALLOWED: false,
  NOT_ACCEPTABLE: false,
  REQUEST_TOO_SLOW: false,
  HEADERS_TOO_LARGE: false,
  PAYLOAD_TOO_LARGE: false,
  UNSUPPORTED_MEDIA_TYPE: false,
  FEEDER_NOT_FOUND: false,
  FEEDER_DISABLED: false,
  FEEDER_TREE_INVALID: false,
  DEVICE_NOT_FOUND: false,
  DEVICE_INVALID: false,
  DISPATCH_NOT_FOUND: false,
  BACKUP_NOT_FOUND: false,
  DISPATCH_CONFLICT: false,
  DISPATCH_UNREACHABLE: false,
  DISPATCH_CLOSED: false,
  IDEMPOTENCY_KEY_MISSING: false,
  IDEMPOTENCY_KEY_REUSED: false,
  REVISION_MISSING: false,
  REVISION_CONFLICT: false,
  REGISTRY_INVALID: false,
  PLAN_NOT_FOUND: false,
  CYCLE_NOT_FOUND: false,
  CYCLE_NOT_REPLAYABLE: false,
  CONTROL_LOOP_NOT_RUNNING: true,
  JOB_NOT_FOUND: false,
  JOB_ALREADY_RUNNING: true,
  RUN_NOT_FOUND: false,
  RUN_OVER: false,
  SCHEDULE_NOT_FOUND: false,
  MACHINE_TOKEN_NOT_FOUND: false,
  TOO_MANY_REQUESTS: true,
  DATABASE_UNAVAILABLE: true,
  BROKER_UNAVAILABLE: true,
  BROKER_STORE_UNAVAILABLE: true,
  BROKER_STORE_FAULTY: true,
  TEMPORAL_UNAVAILABLE: true,
  STORAGE_UNAVAILABLE: true,
  STORAGE_REFUSED: false,
  BACKUP_UNREADABLE: false,
  TIMED_OUT: true,
  SHUTTING_DOWN: true,
  QUARANTINED: false,
  NOT_QUARANTINED: false,
  RECONCILIATION_MISSING: false,
  NOT_STOPPED: false,
  INTERNAL: true,
} as const satisfies Record<ErrorCode, boolean>;

/** Gives known failures their name across Temporal: `type` = code. Unknown ones pass as they are and are retried. */
export const failureInterceptor: ActivityInboundCallsInterceptor = {
  async execute(input, next) {
    try {
      return await next(input);
    } catch (error) {
      if (!(error instanceof DermsError)) throw error;
      throw ApplicationFailure.create({
        message: error.message,
        type: error.code,
        nonRetryable: !RETRYABLE[error.code],
        cause: error,
      });
    }
  },
};
