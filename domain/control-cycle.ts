import type { ControlMode, DeviceType, TreeSnapshot } from './fleet';
import type { TreePlan } from './plan';

/** What passes between the workflow, its activities and Postgres in one control cycle: plain data, small where it crosses Temporal. */

/** Identifies one cycle: the chain is the first run's id, so a loop that was started anew never meets old cycles. */
export interface CycleKey {
  readonly rootFeederId: string;
  readonly chainId: string;
  readonly chainStartedAtMs: number;
  readonly cycle: number;
}

/** What `planCycle` tells the workflow: small and plain, the plan itself stays in Postgres. */
export interface PlanAnswer {
  readonly outcome: 'publish' | 'nothing-to-publish' | 'awaiting-approval' | 'quarantined' | 'behind' | 'ended';
  readonly planId: string | null;
  readonly mode: ControlMode;
  readonly intervalSeconds: number;
  readonly setpoints: number;
  readonly missedTicks: number;
  /** `cycle 812: 93.1 of 100 kW, 14 setpoints, bound by feeder-a` */
  readonly summary: string;
  /** The loop ends after this: stopped, disabled feeder, no root any more. */
  readonly last: boolean;
}

/** What the loop's row says about a cycle that wants to plan. */
export type Claim =
  | { readonly kind: 'fresh'; readonly previousTickMs: number | null; readonly previousIntervalSeconds: number | null }
  | { readonly kind: 'stored'; readonly answer: PlanAnswer; readonly plannedAtMs: number; readonly nowMs: number }
  /** A newer chain controls this root, or this chain is past this cycle. */
  | { readonly kind: 'superseded' };

export interface Proposal {
  readonly planId: string;
  readonly proposedAtMs: number;
  /** By device id, kW, inside sign. */
  readonly targets: Readonly<Record<string, number>>;
  readonly approvedAtMs: number | null;
  readonly appliedAtMs: number | null;
}

export interface PlanRecord {
  readonly planId: string;
  readonly tickMs: number;
  readonly missedTicks: number;
  readonly tree: TreeSnapshot;
  readonly plan: TreePlan;
  readonly answer: PlanAnswer;
  /** Set when the plan waits for approval: the targets it would publish. */
  readonly proposes: Readonly<Record<string, number>> | null;
  /** Set when an approved proposal is carried out by this plan. */
  readonly applies: string | null;
}

/** A setpoint that waits to be published. */
export interface PendingSetpoint {
  readonly deviceId: string;
  readonly deviceType: DeviceType;
  readonly feederId: string;
  /** As the registry says it; null = as the contract counts. */
  readonly sign: 'load' | 'generator' | null;
  readonly targetKw: number;
  readonly validUntilMs: number;
  readonly rampKwPerS: number | null;
  /** Where the device may be now: span of what was acknowledged and what was sent since. */
  readonly fromLowKw: number;
  readonly fromHighKw: number;
  readonly notes: string;
}

export interface PublishJob {
  readonly plannedAtMs: number;
  readonly epoch: number;
  /** The emergency stop that the plan carries out; null when there was none. */
  readonly emergencyStopId: string | null;
  readonly setpoints: readonly PendingSetpoint[];
  readonly nodes: readonly PublishNode[];
}

export interface PublishNode {
  readonly feederId: string;
  readonly parentId: string | null;
  readonly highKw: number;
  readonly lowKw: number;
  readonly plannedHighKw: number;
  readonly plannedLowKw: number;
}

/** Where a dispatch stands after it was looked at. */
export interface DispatchStep {
  readonly state: string;
  readonly rootFeederId: string;
  /** It changed state just now: the loop must hear of it. */
  readonly changed: boolean;
  /** Next moment at which it changes by itself; null when it is over. */
  readonly nextAtMs: number | null;
  /** A line for the history: who asked for what, and why. */
  readonly summary: string;
}

/** Workflows that Postgres says should run. */
export interface WantedWorkflows {
  /** Enabled roots; `planned` says whether one has planned lately. */
  readonly roots: readonly { readonly rootFeederId: string; readonly planned: boolean }[];
  /** Dispatches that are accepted and not over. */
  readonly dispatches: readonly { readonly dispatchId: string; readonly rootFeederId: string }[];
}

/** What the supervisor started. */
export interface StartedWorkflows {
  readonly roots: readonly string[];
  readonly dispatches: readonly string[];
  /** Ids of runs of jobs. */
  readonly runs: readonly string[];
}
