import type { PostgresLogin } from '../../config/postgres-url';
import type { PostgresTools } from '../../servers/tool';
import { OLDEST_TLS, type ClientTls } from '../../tls/client-tls';
import { bareEnvironment, postgresTool } from './programs';

/** How a role reaches one database, straight and not through a pooler: dumps and snapshots need a session. */
export type PostgresAccess = PostgresLogin;

/** What one run calls itself on the server, so that a later attempt finds what an earlier one left there. */
export const applicationNameOf = (runId: string): string => `derms-backup ${runId}`;

/** PostgreSQL gives up connecting after this, s. */
const CONNECT_SECONDS = 15;

/**
 * What is needed to run one of PostgreSQL's programs against a server. The password is in the environment of that
 * process alone: never among its arguments, which everybody on the machine may read, and in no file that a killed worker
 * would leave behind.
 */
export const postgresProgram = (
  folder: PostgresTools,
  program: string,
  access: PostgresAccess,
  applicationName: string,
): { readonly program: string; readonly env: NodeJS.ProcessEnv } => ({
  program: postgresTool(folder, program).path,
  env: {
    ...bareEnvironment(folder),
    PGHOST: access.host,
    PGPORT: String(access.port),
    PGDATABASE: access.database,
    PGUSER: access.user,
    PGPASSWORD: access.password,
    PGAPPNAME: applicationName,
    PGCONNECT_TIMEOUT: String(CONNECT_SECONDS),
    ...tlsEnvironment(access.tls ?? null),
  },
});

/** TLS as PostgreSQL's own programs take it; they read the files themselves. */
export const tlsEnvironment = (tls: ClientTls | null): NodeJS.ProcessEnv =>
  tls === null
    ? { PGSSLMODE: 'disable' }
    : {
        PGSSLMODE: tls.verify ? 'verify-full' : 'require',
        PGSSLMINPROTOCOLVERSION: OLDEST_TLS,
        ...(tls.caPath === undefined ? {} : { PGSSLROOTCERT: tls.caPath }),
        ...(tls.certPath === undefined ? {} : { PGSSLCERT: tls.certPath }),
        ...(tls.keyPath === undefined ? {} : { PGSSLKEY: tls.keyPath }),
      };
