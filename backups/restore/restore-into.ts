import { escapeIdentifier, escapeLiteral, type Client } from 'pg';
import type { KeyRing } from '../../storage/encryption/key-ring';
import type { ObjectStorage } from '../../storage/port';
import type { DumpManifest, ManifestTable } from '../manifest-schema';
import type { BackupPrograms } from '../postgres/programs';
import type { PostgresAccess } from '../postgres/server';
import { withClient } from './admin-client';
import { compareContent, settingDifferences, type ContentCompared } from './compare';
import { RestoreFailure } from './failure';
import { restoreDump } from './restore-dump';
import { ensureRoles, rightsToGive } from './roles';
import { requireRights } from './target-server';

export interface RestoreIntoPorts {
  readonly storage: Pick<ObjectStorage, 'get'>;
  readonly keyRing: KeyRing;
  readonly programs: BackupPrograms;
  readonly contentOf: (access: PostgresAccess, signal: AbortSignal) => Promise<readonly ManifestTable[]>;
  /** Brings the schema up to this program's, and puts the database under quarantine. */
  readonly prepare: (access: PostgresAccess, backup: DumpManifest) => Promise<void>;
}

export interface RestoreIntoOrder {
  readonly backup: DumpManifest;
  /** The database that it becomes, and a superuser of its server. */
  readonly target: PostgresAccess;
  /** What holds something is replaced, and kept under another name. */
  readonly replace: boolean;
  readonly runId: string;
  readonly signal: AbortSignal;
  readonly onStep: (name: string) => void;
  readonly onProgress: (bytes: number) => void;
}

export interface RestoredInto {
  readonly compared: ContentCompared;
  readonly rolesMade: readonly string[];
  /** SQL for a person to think about: rights over the whole server, which a restore gives nobody. */
  readonly rightsToGive: readonly string[];
  readonly differences: readonly string[];
  /** The name that what was there before has now; null when nothing was. */
  readonly before: string | null;
}

const MARK = 'derms restore: unfinished';

/**
 * Restores a backup in place of a database. Everything is done beside it first: restored, compared, migrated and put
 * under quarantine; only then the two change names. Whatever fails before leaves what was there as it was, and what was
 * there is kept in any case: nothing is ever deleted that held something.
 *
 * @throws {RestoreFailure} RESTORE_TARGET_REFUSED when it holds something and `replace` was not said.
 */
export async function restoreInto(ports: RestoreIntoPorts, order: RestoreIntoOrder): Promise<RestoredInto> {
  const { backup, target, runId, signal, onStep } = order;
  const server = { ...target, database: 'postgres' };
  const name = `derms_restoring_${runId.replaceAll('-', '').slice(-16)}`;
  const beside = { ...target, database: name };
  onStep('looking at the target');
  const rolesMade = await onServer(server, async (client) => {
    await requireRights(client);
    if (!order.replace) await refuseToOverwrite(client, target);
    await sweepUnfinished(client);
    const made = await ensureRoles(client, backup.roles);
    await client.query(`create database ${escapeIdentifier(name)} template template0 encoding 'UTF8'`);
    await client.query(`comment on database ${escapeIdentifier(name)} is ${escapeLiteral(MARK)}`);
    return made;
  });
  try {
    onStep('restoring');
    await restoreDump({ ...ports, backup, runId, signal, target: beside, onProgress: order.onProgress });
    onStep('comparing every row with the manifest');
    const compared = compareContent(backup.tables, await ports.contentOf(beside, signal));
    const differences = await onServer(beside, (client) => settingDifferences(client, backup));
    onStep('quarantining');
    await ports.prepare(beside, backup);
    signal.throwIfAborted();
    onStep('putting it in its place');
    const before = await onServer(server, (client) => swap(client, name, target.database, backup));
    return { compared, rolesMade, rightsToGive: rightsToGive(backup.roles, rolesMade), differences, before };
  } catch (error) {
    await onServer(server, (client) =>
      client.query(`drop database if exists ${escapeIdentifier(name)} with (force)`),
    ).catch(() => undefined); // the next restore sweeps it
    throw error;
  }
}

const onServer = <T>(access: PostgresAccess, work: (client: Client) => Promise<T>): Promise<T> =>
  withClient(access, 'derms-restore', work);

async function refuseToOverwrite(server: Client, target: PostgresAccess): Promise<void> {
  if (!(await exists(server, target.database)) || (await isEmpty(target))) return;
  throw new RestoreFailure(
    'RESTORE_TARGET_REFUSED',
    `database ${target.database} at ${target.host}:${String(target.port)} holds something`,
  );
}

export async function exists(server: Client, database: string): Promise<boolean> {
  return (await server.query('select 1 from pg_database where datname = $1', [database])).rowCount === 1;
}

/** Holds no table of anybody. */
const isEmpty = (access: PostgresAccess): Promise<boolean> =>
  onServer(access, async (client) => {
    const { rows } = await client.query<{ empty: boolean }>(
      `select not exists (select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace
                           where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema')
                             and n.nspname not like 'pg\\_toast%') as empty`,
    );
    return rows[0]?.empty === true;
  });

/** What restores left that were killed: nobody is connected to it. */
async function sweepUnfinished(server: Client): Promise<void> {
  const { rows } = await server.query<{ datname: string }>(
    `select datname from pg_database d
      where shobj_description(oid, 'pg_database') = $1 and not exists (select 1 from pg_stat_activity a where a.datid = d.oid)`,
    [MARK],
  );
  for (const { datname } of rows) await server.query(`drop database if exists ${escapeIdentifier(datname)}`);
}

/**
 * Two renames; sessions of the old one are ended and kept out meanwhile. Should the second fail, the first is undone.
 * Returns the new name of what was there.
 */
async function swap(server: Client, restored: string, database: string, backup: DumpManifest): Promise<string | null> {
  const [from, to] = [escapeIdentifier(restored), escapeIdentifier(database)];
  const before = (await exists(server, database)) ? beforeName(database, new Date()) : null;
  await server.query(`comment on database ${from} is null`);
  if (backup.roles.some(({ name }) => name === backup.database.owner))
    await server.query(`alter database ${from} owner to ${escapeIdentifier(backup.database.owner)}`);
  for (const setting of backup.database.settings) await copySetting(server, from, setting);
  if (before === null) {
    await server.query(`alter database ${from} rename to ${to}`);
    return null;
  }
  const aside = escapeIdentifier(before);
  await server.query(`alter database ${to} allow_connections false`);
  try {
    await endSessions(server, database);
    await server.query(`alter database ${to} rename to ${aside}`);
    try {
      await server.query(`alter database ${from} rename to ${to}`);
    } catch (error) {
      await server.query(`alter database ${aside} rename to ${to}`);
      throw error;
    }
  } catch (error) {
    await server.query(`alter database ${to} allow_connections true`);
    throw error;
  }
  await server.query(`alter database ${aside} allow_connections true`);
  return before;
}

/** At most 63 bytes, as Postgres allows. */
const beforeName = (database: string, now: Date): string =>
  `${database.slice(0, 38)}_before_${now.toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}z`.toLowerCase();

/** The kind of deployment is that of the system that takes it over, not of the one that made the backup. */
async function copySetting(server: Client, database: string, setting: string): Promise<void> {
  const at = setting.indexOf('=');
  if (at < 0 || setting.startsWith('derms.')) return;
  const [key, value] = [setting.slice(0, at), setting.slice(at + 1)];
  await server.query(`alter database ${database} set ${escapeIdentifier(key)} to ${escapeLiteral(value)}`);
}

const SESSIONS_GONE_WITHIN_MS = 10_000;

async function endSessions(server: Client, database: string): Promise<void> {
  const deadline = performance.now() + SESSIONS_GONE_WITHIN_MS;
  for (;;) {
    const { rowCount } = await server.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where datname = $1',
      [database],
    );
    if (rowCount === 0 || performance.now() > deadline) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
