import type { ControlMode } from '../domain/fleet';
import type { NodePlan } from '../domain/plan';
import { EXACT_UTC } from './exact-utc';
import type { Queryable } from './pool';

/** A root's loop as its last cycle left it. Ages are on Postgres' clock, s. */
export interface LoopRecord {
  readonly rootFeederId: string;
  readonly mode: ControlMode;
  readonly intervalSeconds: number;
  readonly enabled: boolean;
  /** null while no chain has planned yet. */
  readonly last: LastCycle | null;
}

export interface LastCycle {
  readonly chainId: string;
  readonly chainStartedAt: string;
  readonly cycle: number;
  readonly planId: string | null;
  readonly tickAt: string | null;
  readonly plannedAt: string | null;
  readonly finishedAt: string | null;
  readonly finishedAgeSeconds: number | null;
  readonly finishedCycle: number | null;
  readonly missedTicks: number;
  /** Ticks whose cycle went all the way within one interval, and later than that or never. */
  readonly onTimeTicks: number;
  readonly lateTicks: number;
  /** Since the tick of the last plan. */
  readonly tickAgeSeconds: number | null;
  /** What the last plan says of each node of the tree; empty when not asked for. */
  readonly nodes: readonly NodePlan[];
}

/** Every root, or one. Without nodes the answer is small, however large the trees are. */
export async function listLoops(
  db: Queryable,
  {
    rootFeederId = null,
    nodes,
  }: { readonly rootFeederId?: string | null; readonly nodes: 'with-nodes' | 'without-nodes' },
): Promise<LoopRecord[]> {
  const { rows } = await db.query<{
    root_feeder_id: string;
    mode: ControlMode;
    interval_seconds: number;
    enabled: boolean;
    chain_id: string | null;
    chain_started_at: Date;
    cycle: string;
    plan_id: string | null;
    tick_at: Date | null;
    planned_at: Date | null;
    finished_at: Date | null;
    finished_age_seconds: number | null;
    finished_cycle: string | null;
    missed_ticks: string;
    on_time_ticks: string;
    late_ticks: string;
    tick_age_seconds: number | null;
    nodes: NodePlan[] | null; // written by planCycle from a TreePlan
  }>(
    `select r.feeder_id as root_feeder_id, r.mode, r.interval_seconds, r.enabled,
            c.chain_id, c.chain_started_at, c.cycle, c.plan_id, c.tick_at, c.planned_at, c.finished_at,
            extract(epoch from now() - c.finished_at)::float8 as finished_age_seconds,
            extract(epoch from now() - c.tick_at)::float8 as tick_age_seconds,
            c.finished_cycle, c.missed_ticks, c.on_time_ticks, c.late_ticks, case when $2::boolean then c.nodes end as nodes
       from feeders r left join control_loops c on c.root_feeder_id = r.feeder_id
      where r.parent_id is null and ($1::text is null or r.feeder_id = $1)
      order by r.feeder_id`,
    [rootFeederId, nodes === 'with-nodes'],
  );
  return rows.map((row) => ({
    rootFeederId: row.root_feeder_id,
    mode: row.mode,
    intervalSeconds: row.interval_seconds,
    enabled: row.enabled,
    last:
      row.chain_id === null
        ? null
        : {
            chainId: row.chain_id,
            chainStartedAt: row.chain_started_at.toISOString(),
            cycle: Number(row.cycle),
            planId: row.plan_id,
            tickAt: row.tick_at?.toISOString() ?? null,
            plannedAt: row.planned_at?.toISOString() ?? null,
            finishedAt: row.finished_at?.toISOString() ?? null,
            finishedAgeSeconds: row.finished_age_seconds,
            finishedCycle: row.finished_cycle === null ? null : Number(row.finished_cycle),
            missedTicks: Number(row.missed_ticks),
            onTimeTicks: Number(row.on_time_ticks),
            lateTicks: Number(row.late_ticks),
            tickAgeSeconds: row.tick_age_seconds,
            nodes: row.nodes ?? [],
          },
  }));
}

/** Manual mode: the plan that waits for approval, or was approved last. */
export interface Proposal {
  readonly planId: string;
  readonly proposedAt: string;
  /** kW by device, inside sign. */
  readonly targets: Readonly<Record<string, number>>;
  readonly approvedBy: string | null;
  readonly approvedAt: string | null;
  readonly appliedAt: string | null;
}

export async function readProposal(db: Queryable, rootFeederId: string): Promise<Proposal | null> {
  const { rows } = await db.query<{
    plan_id: string;
    proposed_at: Date;
    targets: Record<string, number>;
    approved_by: string | null;
    approved_at: Date | null;
    applied_at: Date | null;
  }>(
    `select plan_id, proposed_at, targets, approved_by, approved_at, applied_at from proposals where root_feeder_id = $1`,
    [rootFeederId],
  );
  const row = rows[0];
  if (row === undefined) return null;
  return {
    planId: row.plan_id,
    proposedAt: row.proposed_at.toISOString(),
    targets: row.targets,
    approvedBy: row.approved_by,
    approvedAt: row.approved_at?.toISOString() ?? null,
    appliedAt: row.applied_at?.toISOString() ?? null,
  };
}

export interface CycleRecord {
  readonly rootFeederId: string;
  readonly chainId: string;
  readonly cycle: number;
  readonly planId: string;
  readonly plannedAt: string;
  readonly tickAt: string;
  readonly missedTicks: number;
  readonly mode: ControlMode;
  readonly intervalSeconds: number;
  readonly changes: number;
  readonly renewals: number;
  readonly infeasible: boolean;
  readonly summary: string;
}

export interface CyclePage {
  readonly rootFeederId: string;
  readonly from: string | null;
  readonly to: string | null;
  /** The last row of the page before. */
  readonly before: { readonly plannedAt: string; readonly cycle: number } | null;
  readonly limit: number;
}

/** Newest first. A chain plans one cycle at a time, so time and number name a row. */
export async function listCycles(
  db: Queryable,
  { rootFeederId, from, to, before, limit }: CyclePage,
): Promise<CycleRecord[]> {
  const { rows } = await db.query<{
    chain_id: string;
    cycle: string;
    plan_id: string;
    planned_at: string;
    tick_at: Date;
    missed_ticks: number;
    mode: ControlMode;
    interval_seconds: number;
    changes: number;
    renewals: number;
    infeasible: boolean;
    summary: string;
  }>(
    `select chain_id, cycle, plan_id, to_char(planned_at at time zone 'UTC', '${EXACT_UTC}') as planned_at, tick_at,
            missed_ticks, mode, interval_seconds, changes, renewals, infeasible, summary
       from cycles_on_record
      where root_feeder_id = $1
        and planned_at >= coalesce($2::timestamptz, '-infinity') and planned_at < coalesce($3::timestamptz, 'infinity')
        and ($4::timestamptz is null or (planned_at, cycle) < ($4, $5::bigint))
      order by cycles_on_record.planned_at desc, cycle desc limit $6`,
    [rootFeederId, from, to, before?.plannedAt ?? null, before?.cycle ?? null, limit],
  );
  return rows.map((row) => ({
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
  }));
}
