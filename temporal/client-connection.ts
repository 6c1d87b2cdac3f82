import { AsyncLocalStorage } from 'node:async_hooks';
import { Connection, type ConnectionLike } from '@temporalio/client';
import type { Logger } from '../observability/logger';
import { clientOptions, type TemporalAccess } from './access';

/** What our processes ask and order over; the SDK's own kind fits, too. */
export type TemporalConnection = ConnectionLike & Pick<Connection, 'healthService'>;

/** Far below the time that a renewed certificate and its predecessor are both good for, ms. */
const EVERY_MS = 10_000;
/** What began on a connection ends on it; nothing of ours asks for so long, ms. */
const RETIRED_MS = 60_000;

/**
 * A connection of our processes for questions and orders of their own and of people who wait; made when it is first used.
 * A renewed API key is sent with the next call. A renewed certificate is looked for each so often, as long as somebody
 * calls; once it has been let in, new calls take it.
 */
export function connectLazily(
  access: TemporalAccess,
  { log, everyMs = EVERY_MS }: { log?: Logger; everyMs?: number } = {},
): TemporalConnection {
  const callsOf = new AsyncLocalStorage<Connection>();
  const open = new Set<Connection>();
  const make = (): Connection => {
    const made = connect(access);
    open.add(made);
    return made;
  };
  const close = async (connection: Connection): Promise<void> => {
    if (open.delete(connection)) await connection.close();
  };
  let material = access.tls?.material();
  let newest = make();
  let lookedAt = performance.now();
  let renewing = false;
  let closed = false;

  const renew = async (): Promise<void> => {
    const next = access.tls?.material();
    if (next === material) return;
    const connection = make();
    try {
      await connection.ensureConnected();
    } catch (err) {
      await close(connection);
      if (!closed)
        log?.error(
          { err, temporalAddress: access.address },
          'Temporal lets nobody in with the renewed certificate; the one before stays',
        );
      return;
    }
    const before = newest;
    [newest, material] = [connection, next];
    setTimeout(() => void close(before), RETIRED_MS).unref();
    log?.info({ temporalAddress: access.address }, 'connected to Temporal with the renewed certificate');
  };
  const look = (): void => {
    if (renewing || closed || performance.now() - lookedAt < everyMs) return;
    lookedAt = performance.now();
    renewing = true;
    void renew().finally(() => {
      renewing = false;
    });
  };
  /** Deadlines and signals are kept by the connection that they were set on. */
  const present = (): Connection => {
    const begun = callsOf.getStore();
    if (begun !== undefined && open.has(begun)) return begun;
    look();
    return newest;
  };
  const on = <T>(work: (connection: Connection) => Promise<T>): Promise<T> => {
    const connection = present();
    return callsOf.run(connection, () => work(connection));
  };
  return {
    plugins: [],
    get workflowService() {
      return present().workflowService;
    },
    get operatorService() {
      return present().operatorService;
    },
    get healthService() {
      return present().healthService;
    },
    ensureConnected: () => present().ensureConnected(),
    withDeadline: (deadline, fn) => on((connection) => connection.withDeadline(deadline, fn)),
    withMetadata: (metadata, fn) => on((connection) => connection.withMetadata(metadata, fn)),
    withAbortSignal: (signal, fn) => on((connection) => connection.withAbortSignal(signal, fn)),
    close: async () => {
      closed = true;
      await Promise.all([...open].map(close));
    },
  };
}

/**
 * Without the SDK's own retries, which go on past every deadline and, after `close()`, throw where nobody can catch it:
 * whoever asked is told at once and may ask again.
 */
const connect = (access: TemporalAccess): Connection =>
  Connection.lazy({
    ...clientOptions(access),
    // gRPC's own pauses grow to two minutes: after a server is back nobody must look away for so long.
    channelArgs: { 'grpc.initial_reconnect_backoff_ms': 200, 'grpc.max_reconnect_backoff_ms': 2_000 },
  });
