import type { PostgresTools } from '../../servers/tool';
import { bareEnvironment, postgresTool } from './programs';

/** How a role reaches one database, straight and not through a pooler: dumps and snapshots need a session. */
export interface PostgresAccess {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
}

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
  },
});
