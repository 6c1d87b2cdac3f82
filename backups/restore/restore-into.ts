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
export function restoreInto(ports: RestoreIntoPorts, order: RestoreIntoOrder): Promise<RestoredInto> {
  const name = `derms_restoring_${order.runId.replaceAll('-', '').slice(-16)}`;
  return onServer({ ...order.target, database: 'postgres' }, async (holder) => {
    // Held as long as this process lives: another restore does not take the database for a dead one's.
    await holder.query('select pg_advisory_lock(hashtextextended($1, 0))', [name]);
    return restoreBeside(ports, order, name);
  });
}

async function restoreBeside(ports: RestoreIntoPorts, order: RestoreIntoOrder, name: string): Promise<RestoredInto> {
  const { backup, target, runId, signal, onStep } = order;
  const server = { ...target, database: 'postgres' };
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
    const before = await onServer(server, (client) => swap(client, name, target, backup));
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

/** What restores left that were killed: nobody holds their lock. What still runs there for them is ended. */
async function sweepUnfinished(server: Client): Promise<void> {
  const { rows } = await server.query<{ datname: string }>(
    `select datname from pg_database where shobj_description(oid, 'pg_database') = $1`,
    [MARK],
  );
  for (const { datname } of rows) {
    const lock = await server.query<{ ours: boolean }>('select pg_try_advisory_lock(hashtextextended($1, 0)) as ours', [
      datname,
    ]);
    if (lock.rows[0]?.ours !== true) continue;
    await server.query(`drop database if exists ${escapeIdentifier(datname)} with (force)`);
    await server.query('select pg_advisory_unlock(hashtextextended($1, 0))', [datname]);
  }
}

/**
 * Two renames in one transaction: whoever is killed meanwhile leaves the old database in its place or the new one. Sessions of the old
 * one are ended, and the rename keeps new ones out. Returns the new name of what was there.
 */
async function swap(
  server: Client,
  restored: string,
  target: PostgresAccess,
  backup: DumpManifest,
): Promise<string | null> {
  const { database } = target;
  const [from, to] = [escapeIdentifier(restored), escapeIdentifier(database)];
  const before = (await exists(server, database)) ? beforeName(database, new Date()) : null;
  await server.query('begin');
  try {
    await server.query(`comment on database ${from} is null`);
    if (backup.roles.some(({ name }) => name === backup.database.owner))
      await server.query(`alter database ${from} owner to ${escapeIdentifier(backup.database.owner)}`);
    for (const setting of backup.database.settings) await copySetting(server, from, setting);
    if (before !== null)
      await endingSessions(target, () => server.query(`alter database ${to} rename to ${escapeIdentifier(before)}`));
    await server.query(`alter database ${from} rename to ${to}`);
    await server.query('commit');
  } catch (error) {
    await server.query('rollback');
    throw error;
  }
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

/** How often sessions are ended while one waits for the last of them to go, ms. */
const END_EACH_MS = 100;

/** A rename keeps new sessions out from its beginning on, and waits five seconds for those that are there. */
async function endingSessions(target: PostgresAccess, rename: () => Promise<unknown>): Promise<void> {
  let renamed = false;
  const ending = onServer({ ...target, database: 'postgres' }, async (client) => {
    while (!renamed) {
      await client.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [
        target.database,
      ]);
      await new Promise((resolve) => setTimeout(resolve, END_EACH_MS));
    }
  });
  ending.catch(() => undefined); // then the rename is refused, and says who is there
  try {
    await rename();
  } finally {
    renamed = true;
    await ending.catch(() => undefined);
  }
}
