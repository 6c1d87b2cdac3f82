import { databaseFailureOf } from '../db/database-failure';
import { DermsError, type ErrorCode, type FieldFault } from '../domain/errors';
import { ERROR_PAGES, errorPageUrl } from './error-pages';

/** RFC 9457. `errors` point into what was sent: the body, or `/query/…`, `/path/…`, `/header/…`. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ErrorCode;
  readonly detail: string;
  readonly requestId: string;
  readonly errors: readonly FieldFault[];
  /** Dispatches that exclude the one asked for. */
  readonly conflictsWith?: readonly string[];
  /** The run that goes on in place of the one asked for. */
  readonly activeRun?: string;
}

/** A failure that says more over HTTP than its code: headers, or the dispatches it collides with. */
export class HttpFailure extends DermsError {
  readonly headers: Readonly<Record<string, string>>;
  readonly conflictsWith: readonly string[];
  readonly activeRun: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: {
      readonly cause?: unknown;
      readonly faults?: readonly FieldFault[];
      readonly headers?: Readonly<Record<string, string>>;
      readonly conflictsWith?: readonly string[];
      readonly activeRun?: string;
    } = {},
  ) {
    super(code, message, { cause: options.cause, faults: options.faults ?? [] });
    this.headers = options.headers ?? {};
    this.conflictsWith = options.conflictsWith ?? [];
    this.activeRun = options.activeRun;
  }
}

/** What a thrown value is to a caller. `unexpected` is a bug: its message goes to the log and nowhere else. */
export interface Failure {
  readonly error: DermsError;
  readonly unexpected: boolean;
}

export function failureOf(thrown: unknown): Failure {
  if (thrown instanceof DermsError) return { error: thrown, unexpected: false };
  const database = databaseFailureOf(thrown);
  if (database !== null) {
    const error =
      database === 'unavailable'
        ? new DermsError('DATABASE_UNAVAILABLE', 'PostgreSQL does not answer.', { cause: thrown })
        : new DermsError('TIMED_OUT', 'PostgreSQL did not answer in time.', { cause: thrown });
    return { error, unexpected: false };
  }
  const known = httpFailureOf(thrown);
  if (known !== null) return { error: known, unexpected: false };
  const error = new DermsError('INTERNAL', 'Something went wrong; the log has it under the request id.', {
    cause: thrown,
  });
  return { error, unexpected: true };
}

export function problemOf(error: DermsError, requestId: string): Problem {
  const { status, title } = ERROR_PAGES[error.code];
  const conflictsWith = error instanceof HttpFailure ? error.conflictsWith : [];
  const activeRun = error instanceof HttpFailure ? error.activeRun : undefined;
  return {
    type: errorPageUrl(error.code),
    title,
    status,
    code: error.code,
    detail: error.message,
    requestId,
    errors: error.faults,
    ...(conflictsWith.length > 0 ? { conflictsWith } : {}),
    ...(activeRun === undefined ? {} : { activeRun }),
  };
}

/** Seconds to wait where trying again makes sense. */
const RETRY_AFTER_SECONDS: Partial<Record<ErrorCode, number>> = {
  TOO_MANY_REQUESTS: 1,
  DATABASE_UNAVAILABLE: 5,
  BROKER_UNAVAILABLE: 5,
  BROKER_STORE_UNAVAILABLE: 5,
  TEMPORAL_UNAVAILABLE: 5,
  STORAGE_UNAVAILABLE: 5,
  SHUTTING_DOWN: 1,
  /** A person decides when it ends. */
  QUARANTINED: 60,
};

export function problemHeaders(error: DermsError): Record<string, string> {
  const retryAfter = RETRY_AFTER_SECONDS[error.code];
  return {
    'Cache-Control': 'no-store',
    ...(retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) }),
    ...(error.code === 'UNAUTHENTICATED' ? { 'WWW-Authenticate': 'Bearer realm="derms"' } : {}),
    ...(error instanceof HttpFailure ? error.headers : {}),
  };
}

/** Failures of Express and its body parser, by the status they carry. */
function httpFailureOf(thrown: unknown): DermsError | null {
  if (!(thrown instanceof Error)) return null;
  const { status, type, expose } = thrown as { status?: unknown; type?: unknown; expose?: unknown }; // http-errors
  if (typeof status !== 'number' || status >= 500 || expose === false) return null;
  if (status === 413) return new DermsError('PAYLOAD_TOO_LARGE', 'The body is too large.', { cause: thrown });
  if (status === 415) {
    return new DermsError('UNSUPPORTED_MEDIA_TYPE', 'Its encoding or charset is not taken.', { cause: thrown });
  }
  if (type === 'request.aborted') return new DermsError('MALFORMED_JSON', 'The body ended early.', { cause: thrown });
  if (typeof type === 'string') {
    return new DermsError('MALFORMED_JSON', `The body is not JSON${placeIn(thrown.message)}.`, { cause: thrown });
  }
  return new DermsError('VALIDATION_FAILED', 'The path or its parameters cannot be decoded.', { cause: thrown });
}

/** Where the parser stopped. The rest of its message quotes the body, which may hold a password. */
function placeIn(message: string): string {
  const place = /at position \d+/.exec(message)?.[0];
  return place === undefined ? '' : ` ${place}`;
}
