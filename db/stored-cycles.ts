import { DermsError } from '../domain/errors';
import type { TreeSnapshot } from '../domain/fleet';
import type { NodePlan } from '../domain/plan';
import type { CycleRecord } from './control-loop-reads';
import { EXACT_UTC } from './exact-utc';
import { SOLVER_VERSION } from './plan-store';
import type { Database, Queryable } from './pool';
import { decodeSnapshot } from './snapshot-codec';
import { readTreeSnapshot, type PolicyNumbers } from './tree-snapshot';

/** Which cycle of a root: by number, of a chain or of the newest that has it; the last before a moment; or the latest. */
export interface CycleQuestion {
  readonly rootFeederId: string;
  readonly cycle: number | null;
  readonly chainId: string | null;
  /** Planned at or before this. */
  readonly at: string | null;
}

/** A cycle with all that it was planned from, so that it can be planned again. */
export interface StoredCycle {
  readonly record: CycleRecord;
  readonly nodes: readonly NodePlan[];
  readonly solverVersion: string;
  readonly digest: string;
  readonly tree: TreeSnapshot;
  /** Targets of the setpoints that it changed, kW. */
  readonly changedTargets: Readonly<Record<string, number>>;
}

/**
 * Reads a cycle and what it was planned from.
 *
 * @throws {DermsError} CYCLE_NOT_FOUND; CYCLE_NOT_REPLAYABLE when its input is removed by age or was made by other rules.
 */
export async function readStoredCycle(db: Queryable, question: CycleQuestion): Promise<StoredCycle> {
  const { rootFeederId, cycle, chainId, at } = question;
  const { rows } = await db.query<CycleRow>(
    `select chain_id, cycle, plan_id, to_char(planned_at at time zone 'UTC', '${EXACT_UTC}') as planned_at, tick_at,
            missed_ticks, mode, interval_seconds, changes, renewals, infeasible, summary, nodes
       from control_cycles c
      where root_feeder_id = $1 and ($2::bigint is null or cycle = $2) and ($3::uuid is null or chain_id = $3)
        and planned_at <= coalesce($4::timestamptz, 'infinity')
      order by c.planned_at desc limit 1`,
    [rootFeederId, cycle, chainId, at],
  );
  const [row] = rows;
  if (row === undefined) throw new DermsError('CYCLE_NOT_FOUND', `There is no such cycle of ${rootFeederId}.`);
  const record = recordOf(rootFeederId, row);
  const input = await readInput(db, record);
  return { record, nodes: row.nodes, changedTargets: await readChangedTargets(db, record), ...input };
}

/**
 * The picture a plan would be made from now. null when the feeder is gone or no root any more.
 */
export const readPresentTree = (
  db: Database,
  rootFeederId: string,
  policy: PolicyNumbers,
): Promise<TreeSnapshot | null> =>
  db.transaction(async (tx) => (await readTreeSnapshot(tx, rootFeederId, policy))?.tree ?? null, {
    isolation: 'repeatable read',
    readOnly: true,
  });

interface CycleRow {
  readonly chain_id: string;
  readonly cycle: string;
  readonly plan_id: string;
  readonly planned_at: string;
  readonly tick_at: Date;
  readonly missed_ticks: number;
  readonly mode: CycleRecord['mode'];
  readonly interval_seconds: number;
  readonly changes: number;
  readonly renewals: number;
  readonly infeasible: boolean;
  readonly summary: string;
  readonly nodes: NodePlan[]; // written by planCycle from a TreePlan
}

const recordOf = (rootFeederId: string, row: CycleRow): CycleRecord => ({
  rootFeederId,
  chainId: row.chain_id,
  cycle: Number(row.cycle),
  planId: row.plan_id,
  plannedAt: row.planned_at,
  tickAt: row.tick_at.toISOString(),
  missedTicks: row.missed_ticks,
  mode: row.mode,
  intervalSeconds: row.interval_seconds,
  changes: row.changes,
  renewals: row.renewals,
  infeasible: row.infeasible,
  summary: row.summary,
});

async function readInput(
  db: Queryable,
  { rootFeederId, plannedAt, chainId, cycle }: CycleRecord,
): Promise<Pick<StoredCycle, 'solverVersion' | 'digest' | 'tree'>> {
  const { rows } = await db.query<{ solver_version: string; digest: Buffer; inputs: Buffer }>(
    `select solver_version, digest, inputs from control_cycle_inputs
      where root_feeder_id = $1 and planned_at = $2 and chain_id = $3 and cycle = $4`,
    [rootFeederId, plannedAt, chainId, cycle],
  );
  const [row] = rows;
  const named = `Cycle ${String(cycle)} of ${rootFeederId}`;
  if (row === undefined) throw new DermsError('CYCLE_NOT_REPLAYABLE', `${named} is too old: its input was removed.`);
  if (row.solver_version !== SOLVER_VERSION) {
    const message = `${named} was planned by the rules ${row.solver_version}; this program has ${SOLVER_VERSION}.`;
    throw new DermsError('CYCLE_NOT_REPLAYABLE', message);
  }
  const tree = await decodeSnapshot(row.inputs, row.digest);
  return { solverVersion: row.solver_version, digest: row.digest.toString('hex'), tree };
}

async function readChangedTargets(db: Queryable, { planId, plannedAt }: CycleRecord): Promise<Record<string, number>> {
  const { rows } = await db.query<{ device_id: string; target_kw: number }>(
    `select d.device_id, s.target_kw from setpoints s join devices d using (device_key)
      where s.planned_at = $1 and s.plan_id = $2`,
    [plannedAt, planId],
  );
  return Object.fromEntries(rows.map(({ device_id, target_kw }) => [device_id, target_kw]));
}
