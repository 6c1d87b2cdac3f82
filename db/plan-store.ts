import type { Claim, CycleKey, PlanAnswer, PlanRecord, Proposal } from '../domain/control-cycle';
import type { Device } from '../domain/fleet';
import { moveTo } from '../domain/last-move';
import type { DevicePlan } from '../domain/plan';
import { validUntilMs } from '../domain/setpoint-end';
import type { Database, Queryable } from './pool';
import { encodeSnapshot } from './snapshot-codec';
import { DISPATCH_IN_FORCE, readTreeSnapshot, type PolicyNumbers } from './tree-snapshot';

/** Names the rules a stored plan was made by; raise it when the same input may give other setpoints. */
export const SOLVER_VERSION = 'level-curves-4';

/** 40001: another transaction changed what we had read; the picture is taken anew. */
const SERIALIZATION_FAILURE = '40001';

/**
 * Plans in Postgres: one transaction each, over one snapshot, with the loop's row locked, ended by `signal` or when one
 * statement takes longer than `statementTimeoutMs`.
 */
export const createPlanStore = (db: Database, policy: PolicyNumbers) => ({
  async plan<T>(
    key: CycleKey,
    limits: { readonly statementTimeoutMs: number; readonly signal: AbortSignal },
    work: (tx: ReturnType<typeof planTransaction>) => Promise<T>,
  ): Promise<T> {
    const options = { isolation: 'repeatable read', ...limits } as const;
    const attempt = (): Promise<T> => db.transaction((tx) => work(planTransaction(tx, key, policy)), options);
    try {
      return await attempt();
    } catch (error) {
      if ((error as { code?: string }).code !== SERIALIZATION_FAILURE) throw error;
      return attempt();
    }
  },
});

const planTransaction = (tx: Queryable, key: CycleKey, policy: PolicyNumbers) => ({
  claim: () => claim(tx, key),
  snapshot: async () => {
    const found = await readTreeSnapshot(tx, key.rootFeederId, policy);
    if (found === null) return null;
    const proposal = found.tree.mode === 'manual' ? await readProposal(tx, key.rootFeederId) : null;
    return { root: { enabled: found.enabled }, quarantine: found.quarantine, tree: found.tree, proposal };
  },
  store: (record: PlanRecord) => store(tx, key, record),
});

interface LoopRow {
  readonly chain_id: string;
  readonly chain_started_ms: number;
  readonly cycle: string;
  readonly tick_ms: number | null;
  readonly interval_seconds: number | null;
  readonly planned_ms: number | null;
  readonly now_ms: number;
  readonly answer: PlanAnswer | null;
}

/** The ticks since a loop was told to end are nobody's: it was not meant to run. */
async function claim(tx: Queryable, key: CycleKey): Promise<Claim> {
  const { rows } = await tx.query<LoopRow>(
    `select chain_id, (extract(epoch from chain_started_at) * 1000)::float8 as chain_started_ms, cycle,
            (extract(epoch from tick_at) * 1000)::float8 as tick_ms, interval_seconds,
            (extract(epoch from planned_at) * 1000)::float8 as planned_ms,
            (extract(epoch from now()) * 1000)::float8 as now_ms, answer
       from control_loops where root_feeder_id = $1 for update`,
    [key.rootFeederId],
  );
  const [row] = rows;
  if (row === undefined) return { kind: 'fresh', previousTickMs: null, previousIntervalSeconds: null };
  if (row.chain_id !== key.chainId && row.chain_started_ms >= key.chainStartedAtMs) return { kind: 'superseded' };
  if (row.chain_id === key.chainId) {
    const stored = Number(row.cycle);
    if (stored > key.cycle) return { kind: 'superseded' };
    if (stored === key.cycle && row.answer !== null) {
      return { kind: 'stored', answer: row.answer, plannedAtMs: row.planned_ms ?? 0, nowMs: row.now_ms };
    }
  }
  if (row.answer?.last === true) return { kind: 'fresh', previousTickMs: null, previousIntervalSeconds: null };
  return { kind: 'fresh', previousTickMs: row.tick_ms, previousIntervalSeconds: row.interval_seconds };
}

async function readProposal(tx: Queryable, rootFeederId: string): Promise<Proposal | null> {
  const { rows } = await tx.query<{
    plan_id: string;
    proposed_ms: number;
    targets: Record<string, number>;
    approved_ms: number | null;
    applied_ms: number | null;
  }>(
    `select plan_id, targets, (extract(epoch from proposed_at) * 1000)::float8 as proposed_ms,
            (extract(epoch from approved_at) * 1000)::float8 as approved_ms,
            (extract(epoch from applied_at) * 1000)::float8 as applied_ms
       from proposals where root_feeder_id = $1`,
    [rootFeederId],
  );
  const [row] = rows;
  if (row === undefined) return null;
  return {
    planId: row.plan_id,
    proposedAtMs: row.proposed_ms,
    targets: row.targets,
    approvedAtMs: row.approved_ms,
    appliedAtMs: row.applied_ms,
  };
}

async function store(tx: Queryable, key: CycleKey, record: PlanRecord): Promise<void> {
  const encoded = encodeSnapshot(record.tree);
  await storeLoop(tx, key, record);
  await storeCycle(tx, key, record);
  await storeDevices(tx, key, record);
  await storeUncontrolled(tx, record);
  await storeProposal(tx, key, record);
  if (record.tree.dispatches.length > 0) await storeDispatchProgress(tx, key, record);
  const { inputs, digest } = await encoded;
  await tx.query(
    `insert into control_cycle_inputs (root_feeder_id, chain_id, cycle, planned_at, solver_version, digest, inputs)
     values ($1, $2, $3, now(), $4, $5, $6)`,
    [key.rootFeederId, key.chainId, key.cycle, SOLVER_VERSION, digest, inputs],
  );
}

/**
 * A cycle that has nothing to publish is finished by being planned. A tick whose cycle was never published is found when
 * the next one is planned, and counts as late.
 */
const storeLoop = (
  tx: Queryable,
  key: CycleKey,
  { planId, tickMs, missedTicks, tree, answer, plan }: PlanRecord,
): Promise<unknown> =>
  tx.query(
    `insert into control_loops as l (root_feeder_id, chain_id, chain_started_at, cycle, plan_id, tick_at, planned_at,
                                     interval_seconds, missed_ticks, answer, nodes, finished_at, finished_cycle,
                                     emergency_stop_id, judged_tick_at, on_time_ticks, late_ticks)
     values ($1, $2, to_timestamp($3 / 1000.0), $4, $5, to_timestamp($6 / 1000.0), now(), $7::integer, $8, $9, $10,
             case when $11::boolean then now() end, case when $11::boolean then $4::bigint end, $12,
             case when $11::boolean then to_timestamp($6 / 1000.0) end,
             case when $11::boolean and now() <= to_timestamp($6 / 1000.0) + make_interval(secs => $7::integer) then 1 else 0 end,
             case when $11::boolean and now() > to_timestamp($6 / 1000.0) + make_interval(secs => $7::integer) then 1 else 0 end)
     on conflict (root_feeder_id) do update set
       on_time_ticks = l.on_time_ticks
         + case when excluded.tick_at > coalesce(l.judged_tick_at, '-infinity') then excluded.on_time_ticks else 0 end,
       late_ticks = l.late_ticks
         + case when excluded.tick_at > coalesce(l.judged_tick_at, '-infinity') then excluded.late_ticks else 0 end
         + case when excluded.tick_at > l.tick_at and l.tick_at > coalesce(l.judged_tick_at, '-infinity') then 1 else 0 end,
       judged_tick_at = greatest(l.judged_tick_at, excluded.judged_tick_at,
                                 case when excluded.tick_at > l.tick_at then l.tick_at end),
       chain_id = excluded.chain_id, chain_started_at = excluded.chain_started_at, cycle = excluded.cycle,
       plan_id = excluded.plan_id, tick_at = excluded.tick_at, planned_at = excluded.planned_at,
       interval_seconds = excluded.interval_seconds, missed_ticks = l.missed_ticks + excluded.missed_ticks,
       answer = excluded.answer, nodes = excluded.nodes, emergency_stop_id = excluded.emergency_stop_id,
       finished_at = coalesce(excluded.finished_at, l.finished_at),
       finished_cycle = coalesce(excluded.finished_cycle, l.finished_cycle)`,
    [
      key.rootFeederId,
      key.chainId,
      key.chainStartedAtMs,
      key.cycle,
      planId,
      tickMs,
      answer.intervalSeconds,
      missedTicks,
      JSON.stringify(answer),
      JSON.stringify(plan.nodes),
      answer.outcome !== 'publish',
      tree.emergencyStop?.stopId ?? null,
    ],
  );

const storeCycle = (
  tx: Queryable,
  key: CycleKey,
  { planId, tickMs, missedTicks, answer, plan }: PlanRecord,
): Promise<unknown> =>
  tx.query(
    `insert into control_cycles (root_feeder_id, chain_id, cycle, planned_at, plan_id, tick_at, missed_ticks, mode,
                                 interval_seconds, changes, renewals, infeasible, summary, nodes)
     values ($1, $2, $3, now(), $4, to_timestamp($5 / 1000.0), $6, $7, $8, $9, $10, $11, $12, $13)`,
    [
      key.rootFeederId,
      key.chainId,
      key.cycle,
      planId,
      tickMs,
      missedTicks,
      answer.mode,
      answer.intervalSeconds,
      plan.devices.filter(({ publish }) => publish === 'change').length,
      plan.devices.filter(({ publish }) => publish === 'renewal').length,
      plan.nodes.some(({ missingKw }) => missingKw > 0),
      answer.summary,
      JSON.stringify(plan.nodes),
    ],
  );

/** Pending setpoints, rows for those that changed, and how each stands. Column arrays: one statement each. */
async function storeDevices(tx: Queryable, key: CycleKey, { planId, tree, plan }: PlanRecord): Promise<void> {
  const before = new Map(tree.devices.map((device) => [device.deviceId, device]));
  const sent = plan.devices.filter(({ publish }) => publish !== 'none');
  const untilMs = validUntilMs(sent, tree);
  if (sent.length > 0) {
    const moves = sent.map(({ deviceId, targetKw }) => {
      const device = before.get(deviceId);
      return device === undefined ? null : moveTo(targetKw, device, tree.nowMs, tree.settings);
    });
    await tx.query(
      `insert into device_control as c (device_key, pending_kw, pending_low_kw, pending_high_kw, pending_valid_until, pending_plan_id,
                                        moved_at, moved_from_low_kw, moved_from_high_kw, ran_low_kw, ran_high_kw)
       select d.device_key, p.kw, p.kw, p.kw, to_timestamp($3 / 1000.0), $4, case when p.low is not null then now() end, p.low, p.high,
              p.ran_low, p.ran_high
         from unnest($1::text[], $2::float8[], $5::float8[], $6::float8[], $7::float8[], $8::float8[])
              as p (device_id, kw, low, high, ran_low, ran_high)
         join devices d using (device_id)
       on conflict (device_key) do update set
         pending_kw = excluded.pending_kw,
         pending_low_kw = least(c.pending_low_kw, excluded.pending_kw),
         pending_high_kw = greatest(c.pending_high_kw, excluded.pending_kw),
         pending_valid_until = excluded.pending_valid_until,
         pending_plan_id = excluded.pending_plan_id,
         moved_at = coalesce(excluded.moved_at, c.moved_at),
         moved_from_low_kw = coalesce(excluded.moved_from_low_kw, c.moved_from_low_kw),
         moved_from_high_kw = coalesce(excluded.moved_from_high_kw, c.moved_from_high_kw),
         ran_low_kw = coalesce(excluded.ran_low_kw, c.ran_low_kw),
         ran_high_kw = coalesce(excluded.ran_high_kw, c.ran_high_kw)`,
      [
        sent.map(({ deviceId }) => deviceId),
        sent.map(({ targetKw }) => targetKw),
        untilMs,
        planId,
        moves.map((move) => move?.fromLowKw ?? null),
        moves.map((move) => move?.fromHighKw ?? null),
        moves.map((move) => move?.ranLowKw ?? null),
        moves.map((move) => move?.ranHighKw ?? null),
      ],
    );
  }
  const changed = sent.filter(({ publish }) => publish === 'change');
  if (changed.length > 0) {
    await tx.query(
      `insert into setpoints (device_key, planned_at, plan_id, root_feeder_id, target_kw, previous_kw, valid_until, level, tier,
                              bound_by, note)
       select d.device_key, now(), $8, $9, p.kw, p.previous, to_timestamp($10 / 1000.0), p.level, p.tier, p.bound_by, p.note
         from unnest($1::text[], $2::float8[], $3::float8[], $4::float8[], $5::int2[], $6::text[], $7::text[])
              as p (device_id, kw, previous, level, tier, bound_by, note) join devices d using (device_id)`,
      [
        changed.map(({ deviceId }) => deviceId),
        changed.map(({ targetKw }) => targetKw),
        changed.map(({ deviceId }) => before.get(deviceId)?.acknowledged?.targetKw ?? null),
        changed.map(({ explanation }) => explanation.level),
        changed.map(({ explanation }) => explanation.tier),
        changed.map(({ explanation }) => explanation.boundBy),
        changed.map(({ explanation }) => explanation.note),
        planId,
        key.rootFeederId,
        untilMs,
      ],
    );
  }
  await storeStanding(tx, plan.devices, before);
}

/** Who follows and who waits for its turn: only what changed. */
async function storeStanding(
  tx: Queryable,
  devices: readonly DevicePlan[],
  before: ReadonlyMap<string, Device>,
): Promise<void> {
  const changed = devices.filter((device) => {
    const old = before.get(device.deviceId);
    return (
      old?.offSetpointCycles !== device.offSetpointCycles ||
      old.notFollowingUntilMs !== device.notFollowingUntilMs ||
      old.waitsSinceMs !== device.waitsSinceMs ||
      old.waitedUntilMs !== device.waitedUntilMs
    );
  });
  if (changed.length === 0) return;
  await tx.query(
    `insert into device_control (device_key, off_setpoint_cycles, not_following_until, waits_since, waited_until)
     select d.device_key, p.cycles, to_timestamp(p.until_ms / 1000.0), to_timestamp(p.waits_ms / 1000.0),
            to_timestamp(p.waited_ms / 1000.0)
       from unnest($1::text[], $2::int4[], $3::float8[], $4::float8[], $5::float8[])
            as p (device_id, cycles, until_ms, waits_ms, waited_ms) join devices d using (device_id)
     on conflict (device_key) do update set
       off_setpoint_cycles = excluded.off_setpoint_cycles, not_following_until = excluded.not_following_until,
       waits_since = excluded.waits_since, waited_until = excluded.waited_until`,
    [
      changed.map(({ deviceId }) => deviceId),
      changed.map(({ offSetpointCycles }) => offSetpointCycles),
      changed.map(({ notFollowingUntilMs }) => notFollowingUntilMs),
      changed.map(({ waitsSinceMs }) => waitsSinceMs),
      changed.map(({ waitedUntilMs }) => waitedUntilMs),
    ],
  );
}

async function storeUncontrolled(tx: Queryable, { plan }: PlanRecord): Promise<void> {
  const metered = plan.nodes.flatMap(({ feederId, meteredUncontrolledKw }) =>
    meteredUncontrolledKw === null ? [] : [{ feederId, ...meteredUncontrolledKw }],
  );
  if (metered.length === 0) return;
  await tx.query(
    `insert into feeder_uncontrolled as u (feeder_id, latest_high_kw, latest_low_kw, half_hour, high_kw, low_kw)
     select p.feeder_id, p.high, p.low, floor(extract(epoch from now()) / 1800), p.high, p.low
       from unnest($1::text[], $2::float8[], $3::float8[]) as p (feeder_id, high, low)
     on conflict (feeder_id) do update set
       latest_high_kw = excluded.latest_high_kw,
       latest_low_kw = excluded.latest_low_kw,
       half_hour = excluded.half_hour,
       high_kw = case when u.half_hour = excluded.half_hour then greatest(u.high_kw, excluded.high_kw) else excluded.high_kw end,
       low_kw = case when u.half_hour = excluded.half_hour then least(u.low_kw, excluded.low_kw) else excluded.low_kw end,
       previous_high_kw = case u.half_hour when excluded.half_hour then u.previous_high_kw
                                           when excluded.half_hour - 1 then u.high_kw end,
       previous_low_kw = case u.half_hour when excluded.half_hour then u.previous_low_kw
                                          when excluded.half_hour - 1 then u.low_kw end`,
    [metered.map(({ feederId }) => feederId), metered.map(({ highKw }) => highKw), metered.map(({ lowKw }) => lowKw)],
  );
}

async function storeProposal(tx: Queryable, key: CycleKey, { planId, proposes, applies }: PlanRecord): Promise<void> {
  if (applies !== null) {
    await tx.query('update proposals set applied_at = now() where root_feeder_id = $1 and plan_id = $2', [
      key.rootFeederId,
      applies,
    ]);
  }
  if (proposes !== null) {
    await tx.query(
      `insert into proposals (root_feeder_id, plan_id, proposed_at, targets) values ($1, $2, now(), $3)
       on conflict (root_feeder_id) do update set plan_id = excluded.plan_id, proposed_at = excluded.proposed_at,
         targets = excluded.targets, approved_by = null, approved_at = null, applied_at = null`,
      [key.rootFeederId, planId, JSON.stringify(proposes)],
    );
  }
}

/** A dispatch in force is active from its first plan on; asked and measured power are kept with it. */
async function storeDispatchProgress(tx: Queryable, key: CycleKey, { tree, plan }: PlanRecord): Promise<void> {
  const ids = tree.dispatches.map(({ dispatchId }) => dispatchId);
  const nodes = new Map(plan.nodes.map((node) => [node.feederId, node]));
  const measured = tree.dispatches.map(({ feederId }) => {
    const node = nodes.get(feederId);
    return node?.measuredKw ?? null;
  });
  await tx.query(
    `with started as (
       update dispatches d set state = 'active', revision = revision + 1, baseline_kw = p.kw
         from unnest($1::uuid[], $2::float8[]) as p (dispatch_id, kw)
        where d.dispatch_id = p.dispatch_id and d.state = 'scheduled' and ${DISPATCH_IN_FORCE}
       returning d.dispatch_id, d.revision)
     insert into dispatch_history (dispatch_id, revision, state, actor, reason)
     select dispatch_id, revision, 'active', 'control-loop', 'its window has begun' from started`,
    [ids, measured],
  );
  await tx.query(
    `insert into dispatch_measurements (dispatch_id, measured_at, cycle, high_kw, low_kw, measured_kw)
     select p.dispatch_id, now(), $6, p.high, p.low, p.measured
       from unnest($1::uuid[], $2::float8[], $3::float8[], $4::float8[], $5::float8[]) as p (dispatch_id, high, low, target, measured)
     on conflict do nothing`,
    [
      ids,
      tree.dispatches.map(({ importLimitKw, targetKw }) => targetKw ?? importLimitKw),
      tree.dispatches.map(
        ({ exportLimitKw, targetKw }) => targetKw ?? (exportLimitKw === null ? null : 0 - exportLimitKw),
      ),
      tree.dispatches.map(({ targetKw }) => targetKw),
      measured,
      key.cycle,
    ],
  );
}
