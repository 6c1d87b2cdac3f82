import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { ControlMode } from '../domain/fleet';
import type { FinishedState } from '../domain/job-run';

/**
 * The public face of the workflows: names, ids, inputs, signals and queries. The only workflow file that other
 * folders import as a value. What people decide is written to Postgres first; messages only say "look again".
 */
export const TASK_QUEUES = { control: 'control', jobs: 'jobs' } as const;
/** Of the agent beside a broker, which takes activities only. */
export const brokerQueue = (broker: string): string => `broker/${broker}`;
export const FEEDER_SEARCH_ATTRIBUTE = 'DermsFeederId';

export {
  JOB_SCHEDULE_PREFIX,
  SUPERVISOR_SCHEDULE_ID,
  controlLoopId,
  dispatchWorkflowId,
  jobWorkflowId,
} from '../domain/workflow-ids';

export interface ControlLoopInput {
  readonly rootFeederId: string;
  /** Carried by continue-as-new; absent in the first run of a chain. New fields must be optional. */
  readonly carried?: ControlLoopCarried;
}

export interface ControlLoopCarried {
  readonly cycle: number;
  readonly chainStartedAtMs: number;
  readonly lastTickMs: number;
  readonly status: ControlLoopStatus;
}

/** Answer of the `status` query. Times are milliseconds since the epoch. */
export interface ControlLoopStatus {
  readonly rootFeederId: string;
  readonly chainId: string;
  readonly cycle: number;
  readonly mode: ControlMode;
  readonly intervalSeconds: number;
  readonly nextTickAtMs: number | null;
  readonly lastResult: CycleResult | null;
  /** Cycles that failed, in this chain. */
  readonly failedCycles: number;
  /** Nominal ticks that no cycle was planned for, in this chain. */
  readonly missedTicks: number;
}

export interface CycleResult {
  readonly cycle: number;
  readonly atMs: number;
  readonly outcome: 'published' | 'nothing-to-publish' | 'awaiting-approval' | 'quarantined' | 'behind' | 'failed';
  /** `cycle 812: 93.1 of 100 kW, 14 setpoints, bound by feeder-a`, or what failed. */
  readonly summary: string;
}

/** Plan now rather than at the next tick: something in Postgres has changed. */
export const wakeSignal = defineSignal('wake');
/** Publish each device's default once and end. */
export const stopSignal = defineSignal('stop');
/** Go on, also when you were just about to end: sent with the start, which would otherwise find you running and do nothing. */
export const startSignal = defineSignal('start');
export const statusQuery = defineQuery<ControlLoopStatus>('status');

export interface DispatchInput {
  readonly dispatchId: string;
}

/** The dispatch's row has changed (cancelled, revised, superseded): read it again. */
export const dispatchChangedSignal = defineSignal('changed');
export const dispatchStatusQuery = defineQuery<DispatchStatus>('status');

export interface DispatchStatus {
  readonly dispatchId: string;
  readonly state: string;
  /** The next moment at which something happens by itself; null when it is over. */
  readonly nextAtMs: number | null;
}

/** One run of a job. `runId` is given by who asks; a scheduled run gets one from its workflow id. */
export interface JobInput {
  readonly jobName: string;
  readonly runId?: string;
  readonly input?: unknown;
}

export interface JobOutcome {
  readonly runId: string;
  readonly state: FinishedState;
  readonly result: unknown;
}

export const jobStatusQuery = defineQuery<JobStatus>('status');

export interface JobStatus {
  readonly jobName: string;
  readonly runId: string | null;
  /** The step that goes on; null before the first. */
  readonly step: string | null;
}

export interface CopyBrokerStoreInput {
  readonly broker: string;
  /** The run that asks for the copy. */
  readonly runId: string;
  /** An agent that does not take the work within this is given up. */
  readonly agentWithinSeconds: number;
}

export const copyBrokerStoreId = ({ broker, runId }: Pick<CopyBrokerStoreInput, 'broker' | 'runId'>): string =>
  `broker-copy/${broker}/${runId}`;
