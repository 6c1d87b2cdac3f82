import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/workflow';

/** The cause of a failed activity in one short line: `BROKER_UNAVAILABLE: …`, `timed out`. */
export function failureText(error: unknown): string {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (cause instanceof TimeoutFailure)
    return cause.cause === undefined ? 'timed out' : `timed out after ${failureText(cause.cause)}`;
  if (cause instanceof ApplicationFailure) return `${cause.type ?? 'Error'}: ${cause.message}`.slice(0, 300);
  return cause instanceof Error ? cause.message.slice(0, 300) : String(cause);
}
