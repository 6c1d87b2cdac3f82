import type { Client } from 'pg';
import type { DumpManifest, ManifestRole } from '../manifest-schema';

export type ServerFacts = Pick<
  DumpManifest,
  'server' | 'database' | 'migrations' | 'roles' | 'tablespaces' | 'serverSettings'
>;

/** What a dump leaves out or does not say: roles, settings, tablespaces, which server it was. No password, no hash of one. */
export async function readServerFacts(client: Client): Promise<ServerFacts> {
  return {
    server: await readServer(client),
    database: await readDatabase(client),
    migrations: await readMigrations(client),
    roles: await readRoles(client),
    tablespaces: await readTablespaces(client),
    serverSettings: await readSettings(client),
  };
}

/** Which server, and where its log is. */
export async function readServer(client: Client): Promise<ServerFacts['server']> {
  const { rows } = await client.query<{ version: string; systemIdentifier: string; timeline: number }>(
    `select split_part(current_setting('server_version'), ' ', 1) as version,
            (select system_identifier::text from pg_control_system()) as "systemIdentifier",
            (select timeline_id from pg_control_checkpoint()) as timeline`,
  );
  return only(rows);
}

async function readDatabase(client: Client): Promise<ServerFacts['database']> {
  const { rows } = await client.query<Omit<ServerFacts['database'], 'bytes'> & { bytes: string }>(
    `select datname as name, pg_get_userbyid(datdba) as owner, pg_encoding_to_char(encoding) as encoding,
            datcollate as collate, datctype as ctype, pg_database_size(oid)::text as bytes,
            coalesce((select setconfig from pg_db_role_setting where setdatabase = d.oid and setrole = 0), '{}') as settings,
            (select coalesce(jsonb_agg(jsonb_build_object('name', extname, 'version', extversion) order by extname), '[]')
               from pg_extension) as extensions
       from pg_database d where datname = current_database()`,
  );
  const { bytes, ...database } = only(rows);
  return { ...database, bytes: Number(bytes) };
}

async function readMigrations(client: Client): Promise<ServerFacts['migrations']> {
  const there = await client.query<{ there: boolean }>(
    `select to_regclass('public.schema_migrations') is not null as there`,
  );
  if (!only(there.rows).there) return [];
  const { rows } = await client.query<{ name: string; checksum: string }>(
    'select name, checksum from public.schema_migrations order by name collate "C"',
  );
  return rows;
}

async function readRoles(client: Client): Promise<ManifestRole[]> {
  const { rows } = await client.query<ManifestRole>(
    `select rolname as name, rolsuper as superuser, rolinherit as inherit, rolcreaterole as "createRole",
            rolcreatedb as "createDb", rolcanlogin as "canLogin", rolreplication as replication,
            rolbypassrls as "bypassRls", rolconnlimit as "connectionLimit", rolvaliduntil::text as "validUntil",
            array(select pg_get_userbyid(roleid)::text from pg_auth_members where member = r.oid order by 1) as "memberOf",
            array(select unnest(setconfig) from pg_db_role_setting
                   where setrole = r.oid and setdatabase in (0, (select oid from pg_database where datname = current_database()))) as settings
       from pg_roles r where rolname !~ '^pg_' order by rolname collate "C"`,
  );
  return rows;
}

async function readTablespaces(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select spcname as name from pg_tablespace where spcname !~ '^pg_' order by 1`,
  );
  return rows.map(({ name }) => name);
}

/** Paths say nothing to another machine, and connection strings may hold a password. */
async function readSettings(client: Client): Promise<Record<string, string>> {
  const { rows } = await client.query<{ name: string; setting: string }>(
    `select name, setting from pg_settings
      where source in ('configuration file', 'command line') and setting !~ '/'
        and name !~ '(conninfo|command|password|directory|_file|path)'
      order by name`,
  );
  return Object.fromEntries(rows.map(({ name, setting }) => [name, setting]));
}

function only<Row>(rows: readonly Row[]): Row {
  const [row] = rows;
  if (row === undefined) throw new Error('the server did not say what it is');
  return row;
}
