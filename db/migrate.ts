import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from 'pg';

const DIRECTORY = join(__dirname, 'migrations');
/** Any fixed number: who holds it is the one process that migrates. */
const LOCK_KEY = 7_203_441;

interface Migration {
  readonly name: string;
  readonly sql: string;
  readonly checksum: string;
}

/** The schema is newer than this program, or a merged migration was edited. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

/**
 * Brings the schema up to date: each file in `db/migrations` once, in order, each in a transaction of its own.
 *
 * Several processes may start at once: one migrates under a session lock, the others wait for it and find nothing to
 * do. Needs a direct connection (no transaction-mode pooler) of a role that may create tables.
 *
 * @returns the names applied now.
 * @throws {MigrationError} when the database knows a migration that this program does not, or one whose text differs.
 */
export async function migrate(client: Client): Promise<string[]> {
  await client.query('select pg_advisory_lock($1)', [LOCK_KEY]);
  try {
    await client.query(`create table if not exists schema_migrations (
      name text primary key, checksum text not null, applied_at timestamptz not null default now())`);
    const pending = pendingMigrations(await appliedMigrations(client));
    for (const migration of pending) await apply(client, migration);
    return pending.map(({ name }) => name);
  } finally {
    await client.query('select pg_advisory_unlock($1)', [LOCK_KEY]);
  }
}

/** null when the schema is the one this program was written for, else what is wrong, in a sentence. */
export async function schemaFault(queryable: {
  query(text: string): Promise<{ rows: { name: string }[] }>;
}): Promise<string | null> {
  const known = knownMigrations().map(({ name }) => name);
  const applied = new Set((await queryable.query('select name from schema_migrations')).rows.map(({ name }) => name));
  const missing = known.filter((name) => !applied.has(name));
  if (missing.length > 0) return `migrations are not applied: ${missing.join(', ')}`;
  const unknown = [...applied].filter((name) => !known.includes(name));
  return unknown.length > 0 ? `the schema is newer than this program: ${unknown.join(', ')}` : null;
}

const appliedMigrations = async (client: Client): Promise<Map<string, string>> => {
  const { rows } = await client.query<{ name: string; checksum: string }>(
    'select name, checksum from schema_migrations',
  );
  return new Map(rows.map(({ name, checksum }) => [name, checksum]));
};

function pendingMigrations(applied: ReadonlyMap<string, string>): Migration[] {
  const known = knownMigrations();
  const names = new Set(known.map(({ name }) => name));
  for (const name of applied.keys()) {
    if (!names.has(name)) {
      throw new MigrationError(
        `the database has migration ${name}, which this program does not know: run the newer program`,
      );
    }
  }
  for (const { name, checksum } of known) {
    const before = applied.get(name);
    if (before !== undefined && before !== checksum) {
      throw new MigrationError(
        `migration ${name} was edited after it was applied: undo the edit and add a new migration`,
      );
    }
  }
  return known.filter(({ name }) => !applied.has(name));
}

function knownMigrations(): Migration[] {
  return readdirSync(DIRECTORY)
    .filter((file) => file.endsWith('.sql'))
    .sort()
    .map((file) => {
      const sql = readFileSync(join(DIRECTORY, file), 'utf8');
      return { name: file.replace(/\.sql$/, ''), sql, checksum: createHash('sha256').update(sql).digest('hex') };
    });
}

async function apply(client: Client, { name, sql, checksum }: Migration): Promise<void> {
  await client.query('begin');
  try {
    await client.query(sql);
    await client.query('insert into schema_migrations (name, checksum) values ($1, $2)', [name, checksum]);
    await client.query('commit');
  } catch (cause) {
    await client.query('rollback');
    throw new MigrationError(
      `migration ${name} failed and was undone: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
}
