import type { Client } from 'pg';
import type { DumpManifest, ManifestRole, ManifestTable } from '../manifest-schema';
import { differingTables } from '../postgres/content-hash';
import { RestoreFailure } from './failure';

export interface ContentCompared {
  readonly tables: number;
  readonly rows: number;
}

/**
 * Holds what was restored against the manifest, which was written under the dump's own snapshot: the same tables, in each
 * the same number of rows and the same content.
 *
 * @throws {RestoreFailure} RESTORE_DIFFERS naming the first tables that differ.
 */
export function compareContent(
  manifest: readonly ManifestTable[],
  restored: readonly ManifestTable[],
): ContentCompared {
  const faults = differingTables(manifest, restored);
  if (faults.length > 0) throw new RestoreFailure('RESTORE_DIFFERS', inWords(faults));
  return { tables: manifest.length, rows: manifest.reduce((sum, { rows }) => sum + rows, 0) };
}

const MOST_NAMED = 10;
const inWords = (faults: readonly string[]): string =>
  faults.length <= MOST_NAMED
    ? faults.join('; ')
    : `${faults.slice(0, MOST_NAMED).join('; ')} and ${String(faults.length - MOST_NAMED)} more`;

/** Ours, not the database's: a copy does not carry them. */
const NOT_COMPARED = /^derms\./;

/** Settings and extensions that the restored database should have and has not, or has otherwise; a sentence each. */
export async function settingDifferences(client: Client, manifest: DumpManifest): Promise<string[]> {
  const { rows: roles } = await client.query<{ name: string; settings: string[] | null }>(
    `select r.rolname as name, array(select unnest(s.setconfig) from pg_db_role_setting s
                                      where s.setrole = r.oid order by 1) as settings
       from pg_roles r where r.rolname = any($1)`,
    [manifest.roles.map(({ name }) => name)],
  );
  const found = new Map(roles.map(({ name, settings }) => [name, settings ?? []]));
  const { rows: extensions } = await client.query<{ extname: string }>('select extname from pg_extension');
  const there = new Set(extensions.map(({ extname }) => extname));
  return [
    ...manifest.roles.flatMap((role) => roleDifferences(role, found.get(role.name) ?? [])),
    ...manifest.database.extensions
      .filter(({ name }) => !there.has(name))
      .map(({ name }) => `extension ${name} is missing`),
  ];
}

function roleDifferences(role: ManifestRole, found: readonly string[]): string[] {
  const missing = role.settings.filter((setting) => !NOT_COMPARED.test(setting) && !found.includes(setting));
  return missing.map((setting) => `role ${role.name} lacks ${setting}`);
}
