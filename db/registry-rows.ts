import type { QueryResultRow } from 'pg';
import type { Queryable } from './pool';

/** What a registry file speaks about, as rows: names as in the file, columns and their types as in the database. */
export type RegistryRow = Readonly<Record<string, string | number | boolean | null>>;
export type RegistryRows = ReadonlyMap<string, RegistryRow>;

interface RegistryTable {
  readonly table: 'feeders' | 'devices';
  readonly id: string;
  /** Name in the file → column and its type. */
  readonly columns: Readonly<Record<string, readonly [column: string, type: string]>>;
}

export const FEEDERS: RegistryTable = {
  table: 'feeders',
  id: 'feeder_id',
  columns: {
    parentId: ['parent_id', 'text'],
    rootFeederId: ['root_id', 'text'],
    name: ['name', 'text'],
    importLimitKw: ['import_limit_kw', 'float8'],
    exportLimitKw: ['export_limit_kw', 'float8'],
    baseLoadKw: ['base_load_kw', 'float8'],
    mode: ['mode', 'text'],
    intervalSeconds: ['interval_seconds', 'int4'],
    enabled: ['enabled', 'boolean'],
    origin: ['origin', 'text'],
  },
};

export const DEVICES: RegistryTable = {
  table: 'devices',
  id: 'device_id',
  columns: {
    deviceType: ['device_type', 'text'],
    feederId: ['feeder_id', 'text'],
    name: ['name', 'text'],
    sign: ['sign', 'text'],
    maxImportKw: ['max_import_kw', 'float8'],
    maxExportKw: ['max_export_kw', 'float8'],
    minImportKw: ['min_import_kw', 'float8'],
    defaultPowerKw: ['default_power_kw', 'float8'],
    honoursExpiry: ['honours_expiry', 'boolean'],
    weight: ['weight', 'float8'],
    reserveSoc: ['reserve_soc', 'float8'],
    targetSoc: ['target_soc', 'float8'],
    scheduledPowerKw: ['scheduled_power_kw', 'float8'],
    rampKwPerS: ['ramp_kw_per_s', 'float8'],
    enabled: ['enabled', 'boolean'],
    feederOrigin: ['feeder_origin', 'text'],
    ratingOrigin: ['rating_origin', 'text'],
  },
};

/** By id. Table and columns are ours, never a caller's. */
export async function readRows(tx: Queryable, { table, id, columns }: RegistryTable): Promise<RegistryRows> {
  const list = Object.entries(columns).map(([name, [column]]) => `${column} as "${name}"`);
  const { rows } = await tx.query<QueryResultRow & RegistryRow & { id: string }>(
    `select ${id} as id, ${list.join(', ')} from ${table} order by ${id}`,
  );
  return new Map(rows.map(({ id: key, ...row }) => [key, row]));
}

/** Rows that are not there yet, with what they cannot be without; the columns' own defaults hold for the rest. */
export async function insertRows(tx: Queryable, target: RegistryTable, rows: RegistryRows): Promise<void> {
  const names = [...new Set([...rows.values()].flatMap((row) => Object.keys(row)))];
  if (names.length === 0) return;
  await tx.query(
    `insert into ${target.table} (${[target.id, ...columnsOf(target, names)].join(', ')})
     select ${[target.id, ...columnsOf(target, names)].join(', ')} from ${recordset(target, names)}`,
    [asJson(target, rows)],
  );
}

/** Every row has the same names. Counts as one edit of each. */
export async function updateRows(tx: Queryable, target: RegistryTable, rows: RegistryRows): Promise<void> {
  const [first] = rows.values();
  if (first === undefined) return;
  const names = Object.keys(first);
  const assignments = columnsOf(target, names).map((column) => `${column} = wanted.${column}`);
  await tx.query(
    `update ${target.table} t set ${assignments.join(', ')}, revision = t.revision + 1, updated_at = now()
       from ${recordset(target, names)} where t.${target.id} = wanted.${target.id}`,
    [asJson(target, rows)],
  );
}

export const deleteRows = (tx: Queryable, { table, id }: RegistryTable, ids: readonly string[]): Promise<unknown> =>
  tx.query(`delete from ${table} where ${id} = any($1)`, [ids]);

const entryOf = ({ columns, table }: RegistryTable, name: string): readonly [string, string] => {
  const entry = columns[name];
  if (entry === undefined) throw new RangeError(`${table} has no ${name}`);
  return entry;
};

const columnsOf = (target: RegistryTable, names: readonly string[]): string[] =>
  names.map((name) => entryOf(target, name)[0]);

const recordset = (target: RegistryTable, names: readonly string[]): string => {
  const types = names.map((name) => entryOf(target, name).join(' '));
  return `jsonb_to_recordset($1::jsonb) as wanted(${[`${target.id} text`, ...types].join(', ')})`;
};

const asJson = (target: RegistryTable, rows: RegistryRows): string =>
  JSON.stringify(
    [...rows].map(([id, row]) => ({
      [target.id]: id,
      ...Object.fromEntries(Object.entries(row).map(([name, value]) => [entryOf(target, name)[0], value])),
    })),
  );
