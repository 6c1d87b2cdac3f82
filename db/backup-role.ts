import { escapeIdentifier, escapeLiteral, type Client } from 'pg';

/**
 * Makes the role that backups are taken as: it reads everything, settings and statistics of the server included, and
 * writes nothing. No time limit ends what it does: a dump takes as long as it takes. Where the log is archived it may copy
 * the whole cluster too (`REPLICATION`); elsewhere nobody takes base backups, and it has no such right.
 * Safe to repeat.
 *
 * @returns false when it should copy the cluster and the owner may not let it.
 */
export async function ensureBackupRole(client: Client, role: string, password: string): Promise<boolean> {
  const name = escapeIdentifier(role);
  const { rowCount } = await client.query('select 1 from pg_roles where rolname = $1', [role]);
  if (rowCount === 0) await client.query(`create role ${name} login`);
  await client.query(`alter role ${name} password ${escapeLiteral(password)} connection limit 8`);
  await client.query(`grant pg_read_all_data, pg_monitor to ${name}`);
  await client.query(`alter role ${name} set default_transaction_read_only = on`);
  for (const limit of ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout'])
    await client.query(`alter role ${name} set ${limit} = 0`);
  return !(await archivesLog(client)) || allowReplication(client, name);
}

async function archivesLog(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ archives: boolean }>(
    `select current_setting('archive_mode') <> 'off' as archives`,
  );
  return rows[0]?.archives === true;
}

/** PostgreSQL 15 lets only a superuser give it, managed servers nobody: base backups need it, dumps do not. */
async function allowReplication(client: Client, name: string): Promise<boolean> {
  try {
    await client.query(`alter role ${name} replication`);
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === INSUFFICIENT_PRIVILEGE) return false;
    throw error;
  }
}

const INSUFFICIENT_PRIVILEGE = '42501';
