import { NativeConnection } from '@temporalio/worker';
import { temporalTls, type TemporalAccess } from './access';

/** A connection for workers. */
export const connectNatively = ({ address, tls, apiKey }: TemporalAccess): Promise<NativeConnection> =>
  NativeConnection.connect({
    address,
    tls: temporalTls(tls),
    ...(apiKey === null ? {} : { apiKey: apiKey() }),
  });
