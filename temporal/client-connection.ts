import { Connection } from '@temporalio/client';
import { clientOptions, type TemporalAccess } from './access';

/** A connection of our processes for their own questions and orders; made when it is first used. */
export const connectLazily = (access: TemporalAccess): Connection => Connection.lazy(clientOptions(access));

/**
 * A connection for requests that people wait for. Without the SDK's own retries, which go on past every deadline and,
 * after `close()`, throw where nobody can catch it: whoever asked is told at once and may ask again.
 */
export const connectForRequests = (access: TemporalAccess): Connection =>
  Connection.lazy({
    ...clientOptions(access),
    // gRPC's own pauses grow to two minutes: a server that is back must not look away for so long.
    channelArgs: { 'grpc.initial_reconnect_backoff_ms': 200, 'grpc.max_reconnect_backoff_ms': 2_000 },
  });
