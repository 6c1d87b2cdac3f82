import type { ConnectionOptions } from 'node:tls';
import { OLDEST_TLS, type ClientTls } from './client-tls';

/**
 * TLS as `pg` takes it; false: in plain. Certificates are read for each new connection: `pg` looks at these properties
 * when it makes one. It checks the host name, or the address where there is no name, by itself.
 */
export const postgresTls = (tls: ClientTls | null | undefined): ConnectionOptions | false =>
  tls === undefined || tls === null
    ? false
    : {
        minVersion: OLDEST_TLS,
        rejectUnauthorized: tls.verify,
        get ca() {
          return tls.material().ca;
        },
        get cert() {
          return tls.material().cert;
        },
        get key() {
          return tls.material().key;
        },
      };
