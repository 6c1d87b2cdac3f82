import type { Client } from 'pg';
import { RestoreFailure } from './failure';

/**
 * A setting that every production database carries (`db/deployment-mark.ts` sets it), so that a server which holds one
 * is known by anybody who may connect to it.
 */
export const DEPLOYMENT_MARK = 'derms.deployment=production';

/** What tells one PostgreSQL from another. */
export interface ServerIdentity {
  /** Given to the cluster when it was made; its replicas share it. */
  readonly systemIdentifier: string;
}

export interface LiveSystem extends ServerIdentity {
  readonly database: string;
  readonly deployment: 'development' | 'staging' | 'production';
}

export async function serverIdentity(client: {
  query(sql: string): Promise<{ rows: unknown[] }>;
}): Promise<ServerIdentity> {
  const { rows } = await client.query('select system_identifier::text as id from pg_control_system()');
  const [{ id }] = rows as [{ id: string }]; // one row, always
  return { systemIdentifier: id };
}

/**
 * A drill never touches a server that serves people: not that of a production system (ours, its replicas, or another one
 * that carries the mark).
 *
 * @throws {RestoreFailure} RESTORE_TARGET_REFUSED
 */
export async function refuseProduction(target: Client, live: LiveSystem): Promise<void> {
  const { systemIdentifier } = await serverIdentity(target);
  if (live.deployment === 'production' && systemIdentifier === live.systemIdentifier)
    throw refused('it is the server of the live database, or a replica of it');
  const { rows } = await target.query<{ datname: string }>(
    `select datname from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase
      where s.setrole = 0 and $1 = any(s.setconfig) order by datname`,
    [DEPLOYMENT_MARK],
  );
  const [marked] = rows;
  if (marked !== undefined) throw refused(`it holds ${marked.datname}, the database of a production system`);
}

/**
 * A superuser restores anything; where nobody is one (managed databases), a role that may make databases and roles does,
 * once it is a member of those that things belong to.
 *
 * @throws {RestoreFailure} RESTORE_NOT_ALLOWED when the role could not make what a restore makes.
 */
export async function requireRights(target: Client): Promise<void> {
  const { rows } = await target.query<{ rolsuper: boolean; rolcreatedb: boolean; rolcreaterole: boolean }>(
    'select rolsuper, rolcreatedb, rolcreaterole from pg_roles where rolname = current_user',
  );
  const [role] = rows;
  if (role !== undefined && (role.rolsuper || (role.rolcreatedb && role.rolcreaterole))) return;
  throw new RestoreFailure(
    'RESTORE_NOT_ALLOWED',
    'the role that restores has to be a superuser of the target, or may at least make databases and roles',
  );
}

const refused = (why: string): RestoreFailure =>
  new RestoreFailure('RESTORE_TARGET_REFUSED', `nothing is restored to this server: ${why}`);
