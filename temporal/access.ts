import type { ConnectionOptions, TLSConfig } from '@temporalio/client';
import type { ClientTls } from '../tls/client-tls';

/** How Temporal is reached. */
export interface TemporalAccess {
  /** `host:port` */
  readonly address: string;
  /** null: in plain. */
  readonly tls: ClientTls | null;
  /** null: none is asked for. A function: the key may change. */
  readonly apiKey: (() => string) | null;
}

/** TLS as the SDK takes it: certificate and host name are always checked, TLS 1.2 is its oldest. */
export function temporalTls(tls: ClientTls | null): TLSConfig | false {
  if (tls === null) return false;
  const { ca, cert, key } = tls.material();
  return {
    ...(tls.serverName === undefined ? {} : { serverNameOverride: tls.serverName }),
    ...(ca === undefined ? {} : { serverRootCACertificate: ca }),
    ...(cert === undefined || key === undefined ? {} : { clientCertPair: { crt: cert, key } }),
  };
}

/** Of the SDK's client. Its own retries would go on past every deadline of ours. */
export const clientOptions = ({ address, tls, apiKey }: TemporalAccess): ConnectionOptions => ({
  address,
  interceptors: [],
  tls: temporalTls(tls),
  ...(apiKey === null ? {} : { apiKey }),
});
