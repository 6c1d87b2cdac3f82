import { isGrpcServiceError } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time';
import { FEEDER_SEARCH_ATTRIBUTE } from '../workflows/messages';
import type { TemporalConnection } from './client-connection';

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
 * workflows carry; `tell` hears of each. Safe to repeat and to run from several processes.
 *
 * Rejects while Temporal does not answer, for the moment in which what was just made is not seen everywhere, and when the
 * namespace is not there and may not be made by us. That we may not look at search attributes is no failure: who runs
 * Temporal has made them then.
 */
export async function prepareNamespace(
  connection: TemporalConnection,
  namespace: string,
  tell: (made: string) => void,
): Promise<void> {
  const bounded: Bounded = (work) => connection.withDeadline(Date.now() + CALL_TIMEOUT_MS, work);
  if (await makeNamespace(connection, namespace, bounded)) tell(`namespace ${namespace}`);
  if (await makeSearchAttribute(connection, namespace, bounded)) tell(`search attribute ${FEEDER_SEARCH_ATTRIBUTE}`);
}

type Bounded = <T>(work: () => Promise<T>) => Promise<T>;

/** Whether it was not there. */
async function makeNamespace(connection: TemporalConnection, namespace: string, bounded: Bounded): Promise<boolean> {
  try {
    await bounded(() => connection.workflowService.describeNamespace({ namespace }));
    return false;
  } catch (error) {
    if (codeOf(error) !== NOT_FOUND) throw error;
  }
  try {
    const retention = msToTs(RETENTION);
    await bounded(() =>
      connection.workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod: retention }),
    );
    return true;
  } catch (cause) {
    if (codeOf(cause) === ALREADY_EXISTS) return false;
    throw new Error(`Temporal has no namespace ${namespace}, and it cannot be made`, { cause });
  }
}

async function makeSearchAttribute(
  connection: TemporalConnection,
  namespace: string,
  bounded: Bounded,
): Promise<boolean> {
  try {
    const { customAttributes } = await bounded(() => connection.operatorService.listSearchAttributes({ namespace }));
    if (FEEDER_SEARCH_ATTRIBUTE in customAttributes) return false;
    await bounded(() =>
      connection.operatorService.addSearchAttributes({
        namespace,
        // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- the enum is in a package that only tests have
        searchAttributes: { [FEEDER_SEARCH_ATTRIBUTE]: KEYWORD },
      }),
    );
    return true;
  } catch (error) {
    const code = codeOf(error);
    if (code === ALREADY_EXISTS || (code !== null && NOT_OURS.includes(code))) return false;
    throw error;
  }
}

const codeOf = (error: unknown): number | null => (isGrpcServiceError(error) ? error.code : null);
