import { escapeIdentifier, escapeLiteral, type Client } from 'pg';
import type { ManifestRole } from '../manifest-schema';

/** Marks a role that a drill has made, so that its end, or the next drill, takes it away again. */
export interface RoleMark {
  readonly comment: string;
}

/**
 * Makes the roles that a backup names and the server lacks, so that what is restored belongs to whom it belonged to:
 * with their settings and memberships, without passwords, which no backup holds. Rights over the whole server
 * (superuser, replication, past row security) are given by people. Roles that are there stay as they are.
 *
 * @returns the names of those made now.
 */
export async function ensureRoles(
  server: Client,
  roles: readonly ManifestRole[],
  mark: RoleMark | null = null,
): Promise<string[]> {
  const named = [...new Set(roles.flatMap(({ name, memberOf }) => [name, ...memberOf]))];
  const { rows } = await server.query<{ rolname: string }>('select rolname from pg_roles where rolname = any($1)', [
    named,
  ]);
  const there = new Set(rows.map(({ rolname }) => rolname));
  const missing = roles.filter(({ name }) => !there.has(name));
  for (const role of missing) await createRole(server, role, mark);
  const made = new Set(missing.map(({ name }) => name));
  for (const role of missing) {
    for (const group of role.memberOf.filter((name) => there.has(name) || made.has(name)))
      await server.query(`grant ${escapeIdentifier(group)} to ${escapeIdentifier(role.name)}`);
  }
  await becomeMember(server, roles);
  return [...made];
}

/** What belongs to a role can only be made by its members, and by superusers. */
async function becomeMember(server: Client, roles: readonly ManifestRole[]): Promise<void> {
  const { rows } = await server.query<{ name: string }>(
    `select r.rolname as name from pg_roles r, pg_roles me
      where me.rolname = current_user and not me.rolsuper and not r.rolsuper and r.rolname = any($1)
        and not pg_has_role(current_user, r.oid, 'member')`,
    [roles.map(({ name }) => name)],
  );
  for (const { name } of rows) await server.query(`grant ${escapeIdentifier(name)} to current_user`);
}

async function createRole(server: Client, role: ManifestRole, mark: RoleMark | null): Promise<void> {
  const name = escapeIdentifier(role.name);
  const attributes = [
    role.canLogin ? 'login' : 'nologin',
    role.inherit ? 'inherit' : 'noinherit',
    role.createRole ? 'createrole' : 'nocreaterole',
    role.createDb ? 'createdb' : 'nocreatedb',
    `connection limit ${String(role.connectionLimit)}`,
    ...(role.validUntil === null ? [] : [`valid until ${escapeLiteral(role.validUntil)}`]),
  ];
  await server.query('begin');
  try {
    await server.query(`create role ${name} ${attributes.join(' ')}`);
    if (mark !== null) await server.query(`comment on role ${name} is ${escapeLiteral(mark.comment)}`);
    for (const setting of role.settings) await setForRole(server, name, setting);
    await server.query('commit');
  } catch (error) {
    await server.query('rollback');
    throw error;
  }
}

async function setForRole(server: Client, name: string, setting: string): Promise<void> {
  const at = setting.indexOf('=');
  if (at < 0) return;
  const [key, value] = [setting.slice(0, at), setting.slice(at + 1)];
  await server.query(`alter role ${name} set ${escapeIdentifier(key)} to ${settingValue(key, value)}`);
}

/** What Postgres keeps of a list is quoted element by element already; quoted again it would be one element. */
const LISTS = new Set(['search_path', 'temp_tablespaces', 'session_preload_libraries', 'local_preload_libraries']);
const settingValue = (key: string, value: string): string =>
  LISTS.has(key.toLowerCase()) ? value : escapeLiteral(value);

/** What a restore leaves for people to do: rights that it gives nobody. */
export const rightsToGive = (roles: readonly ManifestRole[], made: readonly string[]): string[] =>
  roles
    .filter(({ name }) => made.includes(name))
    .flatMap(({ name, superuser, replication, bypassRls }) => {
      const rights = [superuser && 'superuser', replication && 'replication', bypassRls && 'bypassrls'].filter(Boolean);
      return rights.length === 0 ? [] : [`alter role ${escapeIdentifier(name)} ${rights.join(' ')}`];
    });

/** Roles of the backup that the server lacks. */
export async function missingRoles(server: Client, roles: readonly ManifestRole[]): Promise<string[]> {
  const { rows } = await server.query<{ name: string }>(
    'select name from unnest($1::text[]) as r (name) where not exists (select 1 from pg_roles where rolname = r.name)',
    [roles.map(({ name }) => name)],
  );
  return rows.map(({ name }) => name);
}

/**
 * Takes away the roles of a mark, and those of killed drills whose mark begins with `prefix`. What they still own
 * somewhere keeps them; that is reported.
 *
 * @returns those that stay.
 */
export async function dropMarkedRoles(server: Client, prefix: string): Promise<string[]> {
  const { rows } = await server.query<{ rolname: string }>(
    "select rolname from pg_roles where starts_with(shobj_description(oid, 'pg_authid'), $1) order by rolname",
    [prefix],
  );
  const staying: string[] = [];
  for (const { rolname } of rows) {
    try {
      await server.query(`drop role if exists ${escapeIdentifier(rolname)}`);
    } catch {
      staying.push(rolname);
    }
  }
  return staying;
}
