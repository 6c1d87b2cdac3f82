import { escapeIdentifier, escapeLiteral, type Client } from 'pg';

/**
 * Partitioned, sums by month and the others by day; owned by the application's role because partitions come and go by
 * its hand.
 */
export const TIME_SERIES = [
  'telemetry',
  'meter_readings',
  'control_cycles',
  'control_cycle_inputs',
  'setpoints',
  'telemetry_quarter_hours',
  'meter_quarter_hours',
] as const;
export type TimeSeries = (typeof TIME_SERIES)[number];

/** The rest of the columns is Postgres' own word: which id, when, in which transaction. */
const AUDIT_INSERTS = [
  ['audit_log', 'actor, role, action, subject, outcome, request_id, address, detail'],
  ['audit_chain', 'position, entry_id, hash'],
  ['audit_heads', 'signed_at, position, hash, key_id, signature'],
] as const;

/**
 * Makes the application's role and gives it what it needs and no more: it reads and writes rows, owns the time series,
 * and cannot change the rest of the schema. Its time limits are settings of the role, so that they hold behind a pooler.
 * Safe to repeat; a password is set only when one is given.
 */
export async function ensureApplicationRole(client: Client, role: string, password: string | null): Promise<void> {
  const name = escapeIdentifier(role);
  const { rowCount } = await client.query('select 1 from pg_roles where rolname = $1', [role]);
  if (rowCount === 0) await client.query(`create role ${name} login`);
  if (password !== null) await client.query(`alter role ${name} password ${escapeLiteral(password)}`);
  await client.query(`alter role ${name} set statement_timeout = '30s'`);
  await client.query(`alter role ${name} set lock_timeout = '5s'`);
  await client.query(`alter role ${name} set idle_in_transaction_session_timeout = '10s'`);
  await client.query(`grant usage, create on schema public to ${name}`);
  await client.query(`grant select, insert, update, delete on all tables in schema public to ${name}`);
  await client.query(`grant usage on all sequences in schema public to ${name}`);
  await client.query(`revoke insert, update, delete on schema_migrations from ${name}`);
  await client.query(`revoke delete on quarantine, reconciliations, machine_tokens from ${name}`);
  await client.query(`revoke update, delete on token_revocations from ${name}`);
  await client.query(`revoke update, delete on dispatch_history, kept_cycles, kept_setpoints from ${name}`);
  await client.query(
    `revoke insert, update, delete on audit_log, audit_chain, audit_heads, audit_sealing from ${name}`,
  );
  for (const [table, columns] of AUDIT_INSERTS) await client.query(`grant insert (${columns}) on ${table} to ${name}`);
  await client.query(`grant update (numbered_in, settled_before) on audit_sealing to ${name}`);
  await client.query(`revoke delete on quarantine, reconciliations, emergency_stops from ${name}`);
  await client.query(`revoke update, delete on deletions from ${name}`);
  await client.query(`grant update (stored_at) on deletions to ${name}`);
  await client.query(`revoke update, delete on drill_reports from ${name}`);
  for (const table of TIME_SERIES) await client.query(`alter table ${table} owner to ${name}`);
}
