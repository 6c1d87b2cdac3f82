import { escapeIdentifier, escapeLiteral, type Client } from 'pg';

/**
 * Makes the role that backups are taken as: it reads everything, settings and statistics of the server included, and
 * writes nothing. No time limit ends what it does: a dump takes as long as it takes.
 * Safe to repeat.
 */
export async function ensureBackupRole(client: Client, role: string, password: string): Promise<void> {
  const name = escapeIdentifier(role);
  const { rowCount } = await client.query('select 1 from pg_roles where rolname = $1', [role]);
  if (rowCount === 0) await client.query(`create role ${name} login`);
  await client.query(`alter role ${name} password ${escapeLiteral(password)} connection limit 8`);
  await client.query(`grant pg_read_all_data, pg_monitor to ${name}`);
  await client.query(`alter role ${name} set default_transaction_read_only = on`);
  for (const limit of ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout'])
    await client.query(`alter role ${name} set ${limit} = 0`);
}
