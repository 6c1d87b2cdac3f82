import type { FaultKind } from './plan';

// What was seen from outside, by those who took part and by those who looked on. Times are ms of one clock: everything
// runs on one machine. Power in kW, import positive.

/** What a run leaves behind, and all that is judged by. */
export interface ChaosRecords {
  readonly beganAtMs: number;
  /** The last fault was mended. */
  readonly calmAtMs: number;
  readonly endedAtMs: number;
  readonly faults: readonly DoneFault[];
  readonly telemetry: TelemetryRecords;
  readonly setpoints: SetpointRecords;
  readonly limits: LimitRecords;
  readonly dispatches: DispatchRecords;
  /** Runs of jobs that were accepted. */
  readonly runs: readonly RunRecord[];
  readonly runsAccepted: number;
  readonly loops: readonly LoopRecord[];
  readonly processes: ProcessRecords;
}

export interface DoneFault {
  readonly target: string;
  readonly kind: FaultKind;
  readonly beganAtMs: number;
  readonly endedAtMs: number;
}

export interface TelemetryRecords {
  /** The publishers' log: what a broker has acknowledged to them. */
  readonly acknowledged: readonly AcknowledgedReading[];
  /** What Postgres has. */
  readonly stored: readonly StoredReading[];
  /** Names of the brokers, in the fleet's order. */
  readonly brokers: readonly string[];
  /** How often a broker writes down what it has, ms. */
  readonly autosaveMs: number;
}

export interface AcknowledgedReading {
  readonly deviceId: string;
  readonly timestampMs: number;
  readonly acknowledgedAtMs: number;
  readonly brokerIndex: number;
}

export interface StoredReading {
  readonly deviceId: string;
  readonly sampledAtMs: number;
  readonly receivedAtMs: number;
}

export interface SetpointRecords {
  /** In the order in which an onlooker heard them at each broker. */
  readonly heard: readonly HeardSetpoint[];
  /** What each broker held at the end. */
  readonly retained: readonly HeardSetpoint[];
  readonly plans: readonly StoredPlan[];
  /** Devices whose newest setpoint was acknowledged and still holds, as Postgres had it when `retained` was read. */
  readonly standing: readonly StandingSetpoint[];
}

export interface HeardSetpoint {
  readonly heardAtMs: number;
  readonly broker: string;
  readonly deviceId: string;
  /** Kept by the broker from before the onlooker came, and not sent just now. */
  readonly retained: boolean;
  readonly messageId: string;
  readonly planId: string | null;
  readonly timestampMs: number;
  readonly targetPowerKw: number;
  readonly validUntilMs: number;
  /** For how much longer the broker keeps it, s; null: for ever. */
  readonly expirySeconds: number | null;
}

export interface StoredPlan {
  readonly planId: string;
  readonly rootFeederId: string;
  readonly chainId: string;
  readonly cycle: number;
  readonly plannedAtMs: number;
  readonly intervalSeconds: number;
}

export interface StandingSetpoint {
  readonly deviceId: string;
  readonly planId: string;
  readonly validUntilMs: number;
}

export interface LimitRecords {
  readonly feeders: readonly FeederLimits[];
  /** Every device and its tree. */
  readonly devices: readonly { readonly deviceId: string; readonly rootFeederId: string }[];
  /** The meters, read once a second. */
  readonly flows: readonly FeederFlow[];
}

export interface FeederLimits {
  readonly feederId: string;
  readonly rootFeederId: string;
  readonly importLimitKw: number;
  readonly exportLimitKw: number;
}

export interface FeederFlow {
  readonly atMs: number;
  readonly feederId: string;
  readonly flowKw: number;
  /** The part of it that nobody controls. */
  readonly householdsKw: number;
}

export interface DispatchRecords {
  /** What an operator asked for, and the last answer to it. */
  readonly asked: readonly AskedDispatch[];
  readonly stored: readonly StoredDispatch[];
}

export interface AskedDispatch {
  readonly idempotencyKey: string;
  /** 0: there was no answer at all. */
  readonly status: number;
  readonly dispatchId: string | null;
  readonly attempts: number;
  readonly cancelled: boolean;
}

export interface StoredDispatch {
  readonly dispatchId: string;
  readonly feederId: string;
  readonly state: string;
  readonly beginsAtMs: number;
  readonly endsAtMs: number;
  readonly importLimitKw: number | null;
  readonly exportLimitKw: number | null;
  readonly hasReport: boolean;
  readonly history: readonly {
    readonly revision: number;
    readonly state: string;
    readonly reason: string;
    readonly atMs: number;
  }[];
}

export interface RunRecord {
  readonly runId: string;
  readonly jobName: string;
  readonly state: string;
  readonly finished: boolean;
  /** Of one that did not succeed. */
  readonly reason: string | null;
}

/** How a loop kept its ticks over the whole run. */
export interface LoopRecord {
  readonly rootFeederId: string;
  readonly intervalSeconds: number;
  readonly servedTicks: number;
  readonly missedTicks: number;
  /** Neither served nor counted as missed. */
  readonly uncountedTicks: number;
  readonly newestCycleAtMs: number;
}

export interface ProcessRecords {
  /** In the calm before the first fault and after the last, some looks each. */
  readonly before: readonly ProcessSample[];
  readonly after: readonly ProcessSample[];
  /** Of our programs, before and after: how many run. */
  readonly countBefore: number;
  readonly countAfter: number;
  /** Sessions at Postgres. */
  readonly sessionsBefore: number;
  readonly sessionsAfter: number;
  /** Still there when everything had been told to end. */
  readonly leftOver: readonly string[];
}

export interface ProcessSample {
  readonly name: string;
  readonly residentMb: number;
  readonly fileHandles: number;
}
