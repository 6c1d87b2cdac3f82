import type { TemporalConnection } from '../../temporal/client-connection';
import { withinTime } from '../within-time';
import { temporalFailureOf } from './temporal-failure';

const SERVICE = 'temporal.api.workflowservice.v1.WorkflowService';
/** `ServingStatus` of gRPC's health protocol, as the number it is on the wire. */
const SERVING: number = 1;
/** Longest that the question may take, and how long its answer counts, ms. */
const WITHIN_MS = 1_000;
const FRESH_MS = 1_000;

/**
 * Asks whether Temporal serves; null, or why not. Cheap enough to stand before every write: callers of the same second
 * share one question.
 */
export function createAvailability(
  connection: TemporalConnection,
  monotonicMs: () => number,
): () => Promise<string | null> {
  let asked: { readonly atMs: number; readonly answer: Promise<string | null> } | null = null;
  return () => {
    if (asked === null || monotonicMs() - asked.atMs >= FRESH_MS) {
      asked = { atMs: monotonicMs(), answer: reasonOf(checkTemporal(connection, WITHIN_MS)) };
    }
    return asked.answer;
  };
}

/** @throws when Temporal does not say that it serves, in time. */
export async function checkTemporal(connection: TemporalConnection, withinMs: number): Promise<void> {
  const check = connection.withAbortSignal(AbortSignal.timeout(withinMs), () =>
    connection.withDeadline(Date.now() + withinMs, () => connection.healthService.check({ service: SERVICE })),
  );
  const status: number = (await withinTime(check, withinMs)).status;
  if (status !== SERVING) throw new Error(`it says that it does not serve (${String(status)})`);
}

async function reasonOf(check: Promise<void>): Promise<string | null> {
  try {
    await check;
    return null;
  } catch (error) {
    return temporalFailureOf(error).message;
  }
}
