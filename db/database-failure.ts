/**
 * Which failures of a query mean "Postgres does not answer" rather than "the query is wrong". The first are worth a
 * retry and a 503; the second are bugs.
 */
export type DatabaseFailure = 'unavailable' | 'timed-out';

/** SQLSTATE classes and codes of a server that is starting, stopping, full, or has not been migrated yet. */
const UNAVAILABLE_CODES = new Set([
  '57P01', // admin_shutdown
  '57P02', // crash_shutdown
  '57P03', // cannot_connect_now
  '57P05', // idle_session_timeout
  '25P03', // idle_in_transaction_session_timeout
  '25006', // read_only_sql_transaction: a standby
  '53300', // too_many_connections
  '3D000', // database does not exist
  '28P01', // password refused
  '28000', // role may not log in
  '42P01', // undefined_table: migrations have not run
]);
const TIMED_OUT_CODES = new Set([
  '57014', // query_canceled: statement_timeout
  '55P03', // lock_not_available: lock_timeout
  '40P01', // deadlock_detected
  '40001', // serialization_failure
]);
const SOCKET_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);
/** What `pg` and `pg-pool` say without a code. */
const UNAVAILABLE_MESSAGE =
  /connection terminated|timeout exceeded when trying to connect|connection ended|client has encountered a connection error|client was closed|cannot use a pool after calling end/i;
const TIMED_OUT_MESSAGE = /query read timeout/i;

/** null when the failure is not about reaching Postgres in time. */
export function databaseFailureOf(error: unknown): DatabaseFailure | null {
  if (!(error instanceof Error)) return null;
  if (error instanceof AggregateError) return firstOf(error.errors as unknown[]); // every address of a host failed
  const { code } = error as { code?: unknown }; // pg's DatabaseError and Node's socket errors carry one
  if (typeof code === 'string') {
    if (UNAVAILABLE_CODES.has(code) || SOCKET_CODES.has(code) || code.startsWith('08')) return 'unavailable';
    if (TIMED_OUT_CODES.has(code)) return 'timed-out';
  }
  if (UNAVAILABLE_MESSAGE.test(error.message)) return 'unavailable';
  if (TIMED_OUT_MESSAGE.test(error.message)) return 'timed-out';
  return null;
}

const firstOf = (errors: readonly unknown[]): DatabaseFailure | null =>
  errors.map(databaseFailureOf).find((failure) => failure !== null) ?? null;
