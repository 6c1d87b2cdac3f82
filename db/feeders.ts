import type { ControlMode } from '../domain/fleet';
import { checkPreconditions, type Preconditions } from '../domain/preconditions';
import { DermsError } from '../domain/errors';
import { appendAudit, type Actor } from './audit';
import { lockRegistry, lockRoots, moveFeeder } from './feeder-tree';
import type { Database, Queryable } from './pool';

/** A feeder as the registry has it. Mode, interval and enabled are its root's: one loop controls a whole tree. */
export interface FeederRecord {
  readonly feederId: string;
  readonly parentId: string | null;
  readonly rootFeederId: string;
  readonly name: string | null;
  readonly importLimitKw: number;
  readonly exportLimitKw: number;
  readonly baseLoadKw: number;
  readonly mode: ControlMode;
  readonly intervalSeconds: number;
  readonly enabled: boolean;
  readonly origin: 'registry' | 'wire';
  readonly revision: number;
  readonly updatedAt: string;
}

/** A feeder with its meter's latest reading. */
export interface MeteredFeeder extends FeederRecord {
  readonly meter: { readonly flowKw: number; readonly sampledAt: string; readonly ageSeconds: number } | null;
}

/** What people may set; the loop's mode, interval and enabled have actions of their own. */
export interface FeederFields {
  readonly parentId: string | null;
  readonly name: string | null;
  readonly importLimitKw: number;
  readonly exportLimitKw: number;
  readonly baseLoadKw: number;
}

interface FeederRow {
  feeder_id: string;
  parent_id: string | null;
  root_id: string;
  name: string | null;
  import_limit_kw: number;
  export_limit_kw: number;
  base_load_kw: number;
  mode: ControlMode;
  interval_seconds: number;
  enabled: boolean;
  origin: 'registry' | 'wire';
  revision: number;
  updated_at: Date;
}

const FEEDER_COLUMNS = `f.feeder_id, f.parent_id, f.root_id, f.name, f.import_limit_kw, f.export_limit_kw, f.base_load_kw,
  r.mode, r.interval_seconds, r.enabled, f.origin, f.revision, f.updated_at`;

/** Every feeder, or those of one tree; by id. */
export async function listFeeders(db: Queryable, rootFeederId: string | null = null): Promise<MeteredFeeder[]> {
  const { rows } = await db.query<
    FeederRow & { flow_kw: number | null; sampled_at: Date | null; age_seconds: number | null }
  >(
    `select ${FEEDER_COLUMNS}, m.flow_kw, m.sampled_at,
            extract(epoch from now() - m.sampled_at)::float8
              - least(m.clock_least_ms, m.clock_previous_ms)::float8 / 1000 as age_seconds
       from feeders f
       join feeders r on r.feeder_id = f.root_id
       left join meter_state m on m.feeder_id = f.feeder_id
      where $1::text is null or f.root_id = $1
      order by f.feeder_id`,
    [rootFeederId],
  );
  return rows.map(({ flow_kw: flowKw, sampled_at: sampledAt, age_seconds: ageSeconds, ...row }) => ({
    ...toRecord(row),
    meter:
      flowKw === null || sampledAt === null || ageSeconds === null
        ? null
        : { flowKw, sampledAt: sampledAt.toISOString(), ageSeconds },
  }));
}

/** @throws {DermsError} FEEDER_NOT_FOUND */
export async function readFeeder(db: Queryable, feederId: string): Promise<FeederRecord> {
  const found = await findFeeder(db, feederId);
  if (found === null) throw new DermsError('FEEDER_NOT_FOUND', `There is no feeder ${feederId}.`);
  return found;
}

export interface FeederChange {
  readonly feederId: string;
  readonly fields: Partial<FeederFields>;
  readonly preconditions: Preconditions;
  readonly actor: Actor;
  /** Of a new root's loop, s. */
  readonly defaultIntervalSeconds: number;
}

export interface FeederChanged {
  readonly created: boolean;
  readonly feeder: FeederRecord;
  /** Roots whose tree is another one now: their loops plan anew. */
  readonly rootsTouched: readonly string[];
}

/**
 * Makes the feeder, or replaces what people may set of it; `fields` has all of them.
 *
 * @throws {DermsError} REVISION_MISSING, REVISION_CONFLICT, FEEDER_TREE_INVALID.
 */
export const putFeeder = (db: Database, change: FeederChange & { fields: FeederFields }): Promise<FeederChanged> =>
  db.transaction(async (tx) => {
    await lockRegistry(tx);
    const before = await findFeeder(tx, change.feederId);
    checkPreconditions(`feeder ${change.feederId}`, before?.revision ?? null, change.preconditions);
    if (before === null) return createFeeder(tx, change);
    return changeFeeder(tx, before, change);
  });

/**
 * Changes what is named and leaves the rest.
 *
 * @throws {DermsError} FEEDER_NOT_FOUND, REVISION_MISSING, REVISION_CONFLICT, FEEDER_TREE_INVALID.
 */
export const patchFeeder = (db: Database, change: FeederChange): Promise<FeederChanged> =>
  db.transaction(async (tx) => {
    await lockRegistry(tx);
    const before = await readFeeder(tx, change.feederId);
    checkPreconditions(`feeder ${change.feederId}`, before.revision, change.preconditions);
    return changeFeeder(tx, before, change);
  });

async function createFeeder(
  tx: Queryable,
  { feederId, fields, actor, defaultIntervalSeconds }: FeederChange & { fields: FeederFields },
): Promise<FeederChanged> {
  // It begins as a root of its own and is then hung where it belongs, by the one piece of code that does that.
  const { rowCount } = await tx.query(
    `insert into feeders (feeder_id, root_id, name, import_limit_kw, export_limit_kw, base_load_kw, interval_seconds, origin)
     values ($1, $1, $2, $3, $4, $5, $6, 'registry')
     on conflict (feeder_id) do nothing`,
    [feederId, fields.name, fields.importLimitKw, fields.exportLimitKw, fields.baseLoadKw, defaultIntervalSeconds],
  );
  if (rowCount === 0) {
    throw new DermsError('REVISION_CONFLICT', `Feeder ${feederId} was first seen on the wire this moment: read it.`);
  }
  if (fields.parentId !== null) await moveFeeder(tx, feederId, fields.parentId);
  const feeder = await readFeeder(tx, feederId);
  await appendAudit(tx, actor, {
    action: 'feeder.create',
    subject: feederId,
    outcome: 'done',
    detail: { after: settable(feeder) },
  });
  return { created: true, feeder, rootsTouched: [feeder.rootFeederId] };
}

async function changeFeeder(
  tx: Queryable,
  before: FeederRecord,
  { feederId, fields, actor }: FeederChange,
): Promise<FeederChanged> {
  await lockRoots(tx, [before.rootFeederId]);
  const wanted: FeederFields = { ...settable(before), ...fields };
  if (wanted.parentId !== before.parentId) await moveFeeder(tx, feederId, wanted.parentId);
  await tx.query(
    `update feeders
        set name = $2, import_limit_kw = $3, export_limit_kw = $4, base_load_kw = $5, origin = 'registry',
            revision = revision + 1, updated_at = now()
      where feeder_id = $1`,
    [feederId, wanted.name, wanted.importLimitKw, wanted.exportLimitKw, wanted.baseLoadKw],
  );
  const feeder = await readFeeder(tx, feederId);
  await appendAudit(tx, actor, {
    action: 'feeder.change',
    subject: feederId,
    outcome: 'done',
    detail: { before: settable(before), after: settable(feeder) },
  });
  return { created: false, feeder, rootsTouched: [...new Set([before.rootFeederId, feeder.rootFeederId])] };
}

async function findFeeder(db: Queryable, feederId: string): Promise<FeederRecord | null> {
  const { rows } = await db.query<FeederRow>(
    `select ${FEEDER_COLUMNS} from feeders f join feeders r on r.feeder_id = f.root_id where f.feeder_id = $1`,
    [feederId],
  );
  return rows[0] === undefined ? null : toRecord(rows[0]);
}

const settable = ({ parentId, name, importLimitKw, exportLimitKw, baseLoadKw }: FeederRecord): FeederFields => ({
  parentId,
  name,
  importLimitKw,
  exportLimitKw,
  baseLoadKw,
});

const toRecord = (row: FeederRow): FeederRecord => ({
  feederId: row.feeder_id,
  parentId: row.parent_id,
  rootFeederId: row.root_id,
  name: row.name,
  importLimitKw: row.import_limit_kw,
  exportLimitKw: row.export_limit_kw,
  baseLoadKw: row.base_load_kw,
  mode: row.mode,
  intervalSeconds: row.interval_seconds,
  enabled: row.enabled,
  origin: row.origin,
  revision: row.revision,
  updatedAt: row.updated_at.toISOString(),
});
