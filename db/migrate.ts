import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from 'pg';
import { contractedSince, isAtLeast } from './contract-marks';

const DIRECTORY = join(__dirname, 'migrations');
/** Sources run from `db/`, programs from `dist/db/`; an image holds package.json beside `dist/`. */
const PACKAGE = join(__dirname, __dirname.endsWith(join('dist', 'db')) ? '../../package.json' : '../package.json');
/** Any fixed number: who holds it is the one process that migrates. */
const LOCK_KEY = 7_203_441;

interface Migration {
  readonly name: string;
  readonly sql: string;
  readonly checksum: string;
  /** The oldest release that works on what it leaves; null: it only adds, so every older one does. */
  readonly usableSince: string | null;
}

interface Applied {
  readonly checksum: string;
  readonly usableSince: string | null;
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
 * @throws {MigrationError} when the database knows a migration that took away what this program uses, or one whose text differs.
 */
export async function migrate(client: Client): Promise<string[]> {
  await client.query('select pg_advisory_lock($1)', [LOCK_KEY]);
  try {
    await client.query(`create table if not exists schema_migrations (
      name text primary key, checksum text not null, applied_at timestamptz not null default now())`);
    await client.query('alter table schema_migrations add column if not exists usable_since text');
    const pending = pendingMigrations(await appliedMigrations(client));
    for (const migration of pending) await apply(client, migration);
    return pending.map(({ name }) => name);
  } finally {
    await client.query('select pg_advisory_unlock($1)', [LOCK_KEY]);
  }
}

/**
 * null when this program works on the schema, else what is wrong, in a sentence. Migrations of a newer release that only
 * add are no fault: its schema is there before its programs are, and after them when they are rolled back.
 */
export async function schemaFault(queryable: {
  query(text: string): Promise<{ rows: { name: string; usable_since: string | null }[] }>;
}): Promise<string | null> {
  const known = knownMigrations().map(({ name }) => name);
  // Through JSON, because the column is not there before our first migration ran.
  const { rows } = await queryable.query(
    "select name, to_jsonb(m) ->> 'usable_since' as usable_since from schema_migrations m",
  );
  const applied = new Map(rows.map(({ name, usable_since: usableSince }) => [name, { usableSince }]));
  const missing = known.filter((name) => !applied.has(name));
  if (missing.length > 0) return `migrations are not applied: ${missing.join(', ')}`;
  const tooNew = beyondUs(applied, known);
  return tooNew.length > 0 ? `the schema is newer than this program: ${tooNew.join(', ')}` : null;
}

/** Names of applied migrations that we do not know and that took away what we use. */
function beyondUs(applied: ReadonlyMap<string, Pick<Applied, 'usableSince'>>, known: readonly string[]): string[] {
  const { version } = JSON.parse(readFileSync(PACKAGE, 'utf8')) as { version: string };
  return [...applied]
    .filter(
      ([name, { usableSince }]) => !known.includes(name) && usableSince !== null && !isAtLeast(version, usableSince),
    )
    .map(([name]) => name);
}

const appliedMigrations = async (client: Client): Promise<Map<string, Applied>> => {
  const { rows } = await client.query<{ name: string; checksum: string; usable_since: string | null }>(
    'select name, checksum, usable_since from schema_migrations',
  );
  return new Map(
    rows.map(({ name, checksum, usable_since: usableSince }) => [name, { checksum, usableSince }] as const),
  );
};

function pendingMigrations(applied: ReadonlyMap<string, Applied>): Migration[] {
  const known = knownMigrations();
  const [tooNew] = beyondUs(
    applied,
    known.map(({ name }) => name),
  );
  if (tooNew !== undefined) {
    throw new MigrationError(
      `the database has migration ${tooNew}, which took away what this program uses: run the newer program`,
    );
  }
  for (const { name, checksum } of known) {
    const before = applied.get(name);
    if (before !== undefined && before.checksum !== checksum) {
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
      return {
        name: file.replace(/\.sql$/, ''),
        sql,
        checksum: createHash('sha256').update(sql).digest('hex'),
        usableSince: contractedSince(sql),
      };
    });
}

/** Whoever waits for a table stops everybody who comes after; so it waits briefly, lets them pass, and tries again. */
const LOCK_TIMEOUT_MS = 2_000;
const LOCK_TRIES = 30;
const LOCK_PAUSE_MS = 1_000;
const LOCK_NOT_AVAILABLE = '55P03';

async function apply(client: Client, migration: Migration): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await applyOnce(client, migration);
      return;
    } catch (cause) {
      await client.query('rollback');
      const isLocked = (cause as { code?: string }).code === LOCK_NOT_AVAILABLE;
      if (!isLocked || tries === LOCK_TRIES)
        throw new MigrationError(
          `migration ${migration.name} failed and was undone: ${cause instanceof Error ? cause.message : String(cause)}`,
          { cause },
        );
      await new Promise((resolve) => setTimeout(resolve, LOCK_PAUSE_MS));
    }
  }
}

async function applyOnce(client: Client, { name, sql, checksum, usableSince }: Migration): Promise<void> {
  await client.query('begin');
  await client.query(`set local lock_timeout = ${String(LOCK_TIMEOUT_MS)}`);
  await client.query(sql);
  await client.query('insert into schema_migrations (name, checksum, usable_since) values ($1, $2, $3)', [
    ...[name, checksum, usableSince],
  ]);
  await client.query('commit');
}
