import { escapeIdentifier, type Client } from 'pg';
import type { ManifestTable } from '../manifest-schema';

/**
 * Rows and content hash of every table that has rows of its own (partitions, not what they are partitions of), in the
 * order of their names. The hash is a sum of 64-bit hashes of the rows as text: it does not depend on their order, and
 * rows that are there twice count twice. The session must have been made ready by `pinFormats`.
 */
export async function hashTables(
  client: Client,
  onTable: (name: string) => void = () => undefined,
): Promise<ManifestTable[]> {
  const hashed: ManifestTable[] = [];
  for (const table of await listTables(client)) {
    onTable(table.name);
    hashed.push(await hashTable(client, table));
  }
  return hashed;
}

interface Table {
  readonly name: string;
  readonly schema: string;
  readonly relation: string;
}

async function listTables(client: Client): Promise<Table[]> {
  const { rows } = await client.query<Table>(
    `select n.nspname || '.' || c.relname as name, n.nspname as schema, c.relname as relation
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind = 'r' and c.relpersistence <> 't' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
      order by (n.nspname || '.' || c.relname) collate "C"`,
  );
  return rows;
}

async function hashTable(client: Client, { name, schema, relation }: Table): Promise<ManifestTable> {
  const { rows } = await client.query<{ rows: string; hash: string }>(
    `select count(*)::text as rows, coalesce(sum(hashtextextended(t::text, 0)), 0)::text as hash
       from only ${escapeIdentifier(schema)}.${escapeIdentifier(relation)} t`,
  );
  const [row] = rows;
  if (row === undefined) throw new Error(`no count of ${name}`);
  return { name, rows: Number(row.rows), contentHash: row.hash };
}

/** Names of the tables that differ, with what differs; empty when both hold the same rows. */
export function differingTables(expected: readonly ManifestTable[], found: readonly ManifestTable[]): string[] {
  const foundByName = new Map(found.map((table) => [table.name, table]));
  const expectedNames = new Set(expected.map(({ name }) => name));
  return [
    ...expected.flatMap((table) => difference(table, foundByName.get(table.name))),
    ...found.filter(({ name }) => !expectedNames.has(name)).map(({ name }) => `${name}: is not in the manifest`),
  ];
}

function difference(expected: ManifestTable, found: ManifestTable | undefined): string[] {
  const { name, rows, contentHash } = expected;
  if (found === undefined) return [`${name}: is missing`];
  if (found.rows !== rows) return [`${name}: ${String(found.rows)} rows instead of ${String(rows)}`];
  return found.contentHash === contentHash ? [] : [`${name}: other content in as many rows`];
}
