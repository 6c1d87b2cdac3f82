import type { ControlMode } from '../domain/fleet';
import { DermsError } from '../domain/errors';
import { appendAudit, type Actor } from './audit';
import { lockRegistry, lockRoots } from './feeder-tree';
import { readFeeder, type FeederRecord } from './feeders';
import type { Database, Queryable } from './pool';

/** What people decide about the loop of a tree; the workflow reads it with its next plan. */
export interface LoopSettings {
  readonly mode: ControlMode;
  readonly intervalSeconds: number;
  readonly enabled: boolean;
}

export interface LoopOrder {
  /** Any node of the tree. */
  readonly feederId: string;
  /** `control-loop.mode` and so on, for the audit. */
  readonly action: string;
  readonly change: Partial<LoopSettings>;
  readonly actor: Actor;
}

/**
 * Writes the settings at the root, with the audit row.
 *
 * @returns the root as it is now.
 * @throws {DermsError} FEEDER_NOT_FOUND
 */
export const orderLoop = (db: Database, { feederId, action, change, actor }: LoopOrder): Promise<FeederRecord> =>
  db.transaction(async (tx) => {
    const before = await lockTreeOf(tx, feederId);
    const wanted = { ...loopSettings(before), ...change };
    await tx.query(
      `update feeders set mode = $2, interval_seconds = $3, enabled = $4, revision = revision + 1, updated_at = now()
        where feeder_id = $1`,
      [before.feederId, wanted.mode, wanted.intervalSeconds, wanted.enabled],
    );
    const after = await readFeeder(tx, before.feederId);
    await appendAudit(tx, actor, {
      action,
      subject: before.feederId,
      outcome: 'done',
      detail: { before: loopSettings(before), after: loopSettings(after) },
    });
    return after;
  });

export interface Approval {
  readonly rootFeederId: string;
  readonly planId: string;
  readonly approvedAt: string;
}

/**
 * Manual mode: approves exactly this plan. Approving it again changes nothing and says when it was.
 *
 * @throws {DermsError} FEEDER_NOT_FOUND; PLAN_NOT_FOUND when another plan waits by now, or none.
 */
export const approvePlan = (
  db: Database,
  { feederId, planId, actor }: { readonly feederId: string; readonly planId: string; readonly actor: Actor },
): Promise<Approval> =>
  db.transaction(async (tx) => {
    const { rootFeederId } = await readFeeder(tx, feederId);
    const { rows } = await tx.query<{ approved_at: Date; now_approved: boolean }>(
      `update proposals
          set approved_by = coalesce(approved_by, $3), approved_at = coalesce(approved_at, now())
        where root_feeder_id = $1 and plan_id = $2
        returning approved_at, approved_at = now() as now_approved`,
      [rootFeederId, planId, actor.user],
    );
    const row = rows[0];
    if (row === undefined) {
      throw new DermsError('PLAN_NOT_FOUND', `Plan ${planId} does not wait for approval at ${rootFeederId}.`);
    }
    if (row.now_approved) {
      const detail = { planId };
      await appendAudit(tx, actor, { action: 'control-loop.approve', subject: rootFeederId, outcome: 'done', detail });
    }
    return { rootFeederId, planId, approvedAt: row.approved_at.toISOString() };
  });

async function lockTreeOf(tx: Queryable, feederId: string): Promise<FeederRecord> {
  await lockRegistry(tx); // until the commit the feeder has no other root
  const { rootFeederId } = await readFeeder(tx, feederId);
  await lockRoots(tx, [rootFeederId]);
  return readFeeder(tx, rootFeederId);
}

const loopSettings = ({ mode, intervalSeconds, enabled }: LoopSettings): LoopSettings => ({
  mode,
  intervalSeconds,
  enabled,
});
