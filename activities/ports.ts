import type {
  Claim,
  WantedWorkflows,
  CycleKey,
  DispatchStep,
  PlanRecord,
  Proposal,
  PublishJob,
} from '../domain/control-cycle';
import type { TreeSnapshot } from '../domain/fleet';

/** What the activities need from the outside; `worker/` hands in the adapters. */

export interface Root {
  readonly enabled: boolean;
}

/** One transaction over one consistent picture of the tree. */
export interface PlanTransaction {
  /** Locks the loop's row for this chain; the lock is the guard against two planners of one root. */
  claim(): Promise<Claim>;
  /** null when the feeder is gone or no root any more. */
  snapshot(): Promise<{
    readonly root: Root;
    /** Why nothing may be planned from this database; null when it may. */
    readonly quarantine: string | null;
    readonly tree: TreeSnapshot;
    readonly proposal: Proposal | null;
  } | null>;
  store(record: PlanRecord): Promise<void>;
}

export interface PlanStore {
  /** Runs `work` in one transaction, ended by `signal` or when one statement takes longer than `statementTimeoutMs`. */
  plan<T>(
    key: CycleKey,
    limits: { readonly statementTimeoutMs: number; readonly signal: AbortSignal },
    work: (tx: PlanTransaction) => Promise<T>,
  ): Promise<T>;
}

export interface SetpointStore {
  /**
   * null when the plan is not the newest of its root any more, or an emergency stop came or went since.
   *
   * @throws {DermsError} QUARANTINED
   */
  load(rootFeederId: string, planId: string): Promise<PublishJob | null>;
  /** false too when the database was quarantined meanwhile, or an emergency stop came or went. */
  isNewest(rootFeederId: string, planId: string): Promise<boolean>;
  acknowledge(planId: string, plannedAtMs: number, epoch: number, deviceIds: readonly string[]): Promise<void>;
  /** The cycle went all the way. */
  finish(rootFeederId: string, planId: string): Promise<void>;
}

export interface SetpointPublisher {
  publish(
    messages: readonly {
      readonly key: string;
      readonly topic: string;
      readonly payload: string;
      readonly expirySeconds: number;
    }[],
    options: { readonly signal: AbortSignal; readonly mayStillPublish: () => boolean },
  ): Promise<{ readonly acknowledged: string[]; readonly failed: { readonly key: string; readonly reason: string }[] }>;
}

export interface DispatchStore {
  /** Brings the dispatch to the state its window says, in one transaction; harmless to repeat. null when there is none. */
  advance(dispatchId: string): Promise<DispatchStep | null>;
}

export interface SupervisionStore {
  /** What should run: the loops of enabled roots, and dispatches that are accepted and not over. */
  wanted(): Promise<WantedWorkflows>;
}

/** Starts workflows; starting one that runs is harmless. */
export interface WorkflowStarter {
  /** Workflow ids of what runs; may lag by a second or so. */
  running(): Promise<ReadonlySet<string>>;
  startControlLoop(rootFeederId: string): Promise<void>;
  startDispatch(dispatchId: string, rootFeederId: string): Promise<void>;
}

/** The supervisor's own ticks, which leave no run: told by the id that its schedule gave the workflow. */
export interface SupervisorTicks {
  ran(workflowId: string, atMs: number): Promise<void>;
}
