import type { Connection } from '@temporalio/client';
import { isGrpcServiceError } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time';
import { FEEDER_SEARCH_ATTRIBUTE } from '../workflows/messages';

/** gRPC codes (google.rpc.Code). */
const NOT_FOUND = 5;
const ALREADY_EXISTS = 6;
/** Somebody else's business: a hosted Temporal, or an account that may not. */
const NOT_OURS: readonly number[] = [7, 12, 16]; // PERMISSION_DENIED, UNIMPLEMENTED, UNAUTHENTICATED
/** `INDEXED_VALUE_TYPE_KEYWORD` of Temporal's API. */
const KEYWORD = 2;
const CALL_TIMEOUT_MS = 3_000;
/** How long Temporal keeps what has ended; the reconciliation after a restore looks back no further. */
const RETENTION = '7 days';

/**
 * Makes what an empty server lacks before anything can run on it: the namespace, and the search attribute that our
 * workflows carry. Safe to repeat and to run from several processes. @returns what it made.
 *
 * Rejects while Temporal does not answer, or when the namespace is not there and may not be made by us. That we may not
 * look at search attributes is no failure: who runs Temporal has made them then.
 */
export async function prepareNamespace(connection: Connection, namespace: string): Promise<string[]> {
  const bounded = <T>(work: () => Promise<T>): Promise<T> =>
    connection.withDeadline(Date.now() + CALL_TIMEOUT_MS, work);
  return [
    ...(await ensureNamespace(connection, namespace, bounded)),
    ...(await ensureSearchAttribute(connection, namespace, bounded)),
  ];
}

type Bounded = <T>(work: () => Promise<T>) => Promise<T>;

async function ensureNamespace(
  { workflowService }: Connection,
  namespace: string,
  bounded: Bounded,
): Promise<string[]> {
  try {
    await bounded(() => workflowService.describeNamespace({ namespace }));
    return [];
  } catch (error) {
    if (codeOf(error) !== NOT_FOUND) throw error;
  }
  try {
    const retention = msToTs(RETENTION);
    await bounded(() => workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod: retention }));
    return [`namespace ${namespace}`];
  } catch (cause) {
    if (codeOf(cause) === ALREADY_EXISTS) return [];
    throw new Error(`Temporal has no namespace ${namespace}, and it cannot be made`, { cause });
  }
}

async function ensureSearchAttribute(
  { operatorService }: Connection,
  namespace: string,
  bounded: Bounded,
): Promise<string[]> {
  try {
    const { customAttributes } = await bounded(() => operatorService.listSearchAttributes({ namespace }));
    if (FEEDER_SEARCH_ATTRIBUTE in customAttributes) return [];
    await bounded(() =>
      operatorService.addSearchAttributes({
        namespace,
        // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- the enum is in a package that only tests have
        searchAttributes: { [FEEDER_SEARCH_ATTRIBUTE]: KEYWORD },
      }),
    );
    return [`search attribute ${FEEDER_SEARCH_ATTRIBUTE}`];
  } catch (error) {
    const code = codeOf(error);
    if (code === ALREADY_EXISTS || (code !== null && NOT_OURS.includes(code))) return [];
    throw error;
  }
}

const codeOf = (error: unknown): number | null => (isGrpcServiceError(error) ? error.code : null);
