import { Connection } from '@temporalio/client';
import { clientOptions, type TemporalAccess } from './access';

/**
 * A connection of our processes for questions and orders of their own and of people who wait; made when it is first used.
 *
 * Without the SDK's own retries, which go on past every deadline and, after `close()`, throw where nobody can catch it:
 * whoever asked is told at once and may ask again.
 */
export const connectLazily = (access: TemporalAccess): Connection =>
  Connection.lazy({
    ...clientOptions(access),
    // gRPC's own pauses grow to two minutes: after a server is back nobody must look away for so long.
    channelArgs: { 'grpc.initial_reconnect_backoff_ms': 200, 'grpc.max_reconnect_backoff_ms': 2_000 },
  });
