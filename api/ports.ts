import type { AuditEntry, AuditFilter, AuditRow, Actor } from '../db/audit';
import type { ExportedEntry, ExportSpan } from '../db/audit-export';
import type { Approval, LoopOrder } from '../db/control-loop-orders';
import type { BackupPage, BackupRecord, BackupStory } from '../db/backups';
import type { CyclePage, CycleRecord, LoopRecord, Proposal } from '../db/control-loop-reads';
import type { DeviceChange, DeviceChanged } from '../db/device-changes';
import type { DeviceRecord } from '../db/device-record';
import type { DeviceFilter } from '../db/devices';
import type { EnvelopeOrder, EnvelopePage, EnvelopeRecord, EnvelopesSet } from '../db/envelopes';
import type { FeederChange, FeederChanged, FeederFields, FeederRecord } from '../db/feeders';
import type { QuarterHour, TelemetryQuarterHour } from '../db/quarter-hour-reads';
import type { MachineToken, MachineTokenOrder } from '../db/machine-tokens';
import type { Quarantine, Reconciliation } from '../db/quarantine';
import type { RefusedSender, RefusedSendersPage } from '../db/refused-senders';
import type { RegistryApplied, RegistryOrder } from '../db/registry-apply';
import type { CycleQuestion, StoredCycle } from '../db/stored-cycles';
import type { MeterSample, RefusedMessage, SeriesPage, SetpointRecord, TelemetrySample } from '../db/telemetry-reads';
import type { Revocation, RevocationOrder, Revoked } from '../db/token-revocations';
import type { TreeSnapshot } from '../domain/fleet';
import type { Logger } from '../observability/logger';
import type { ControlLoopStatus } from '../workflows/messages';
import type { RefusalSums } from './audit/refusal-sums';
import type { Authentication } from './auth/authentication';
import type { TokenRegister } from './auth/token-register';
import type { EmergencyStopPort } from './emergency-stop/ports';
import type { DispatchPort } from './dispatch/ports';
import type { FleetPicture } from './feeder-view';
import type { StreamPlaces } from './stream-places';
import type { JobsPort, RunPort, SchedulePort } from './jobs/ports';
import type { BrokerPairWatch } from './health/broker-pair';
import type { HealthMonitor } from './health/monitor';
import type { SecretWatch } from './health/secret-watch';
import type { ApiMetrics } from './metrics';
import type { PlanningTurns } from './planning/turns';
import type { RateLimiter } from './rate-limit';
import type { ReadPlaces } from './read-places';

/** Everything the API stands on; `main.ts` joins it to Postgres, Temporal and the broker, tests to plain objects. */
export interface AppPorts {
  readonly log: Logger;
  readonly metrics: ApiMetrics;
  readonly settings: ApiSettings;
  readonly authentication: Authentication;
  readonly tokenRegister: Pick<TokenRegister, 'lookNow'>;
  readonly machineTokens: MachineTokenPort;
  readonly revocations: RevocationPort;
  readonly health: HealthMonitor;
  readonly secrets: Pick<SecretWatch, 'problems'>;
  readonly brokerPair: BrokerPairWatch;
  /** The process was told to stop: new requests are turned away. */
  readonly stopping: () => boolean;
  readonly feeders: FeederPort;
  readonly loops: LoopPort;
  readonly devices: DevicePort;
  readonly telemetry: TelemetryPort;
  readonly dispatches: DispatchPort;
  readonly jobs: JobsPort;
  readonly runs: RunPort;
  readonly schedules: SchedulePort;
  readonly rateLimiter: RateLimiter;
  readonly readPlaces: ReadPlaces;
  readonly streams: StreamPlaces;
  readonly planning: PlanningTurns;
  readonly registry: { apply(order: RegistryOrder): Promise<RegistryApplied> };
  readonly envelopes: EnvelopePort;
  readonly plans: PlanPort;
  readonly quarantine: QuarantinePort;
  readonly emergencyStop: EmergencyStopPort;
  readonly backups: {
    list(page: BackupPage): Promise<readonly BackupRecord[]>;
    read(backupId: string): Promise<BackupStory | null>;
  };
  readonly audit: AuditPort;
  readonly refusals: RefusalSums;
  readonly workflows: WorkflowPort;
}

export interface ApiSettings {
  /** This process was started to look at a restored database: it writes nothing and calls nobody. */
  readonly quarantined: boolean;
  /** Of this environment's tokens. */
  readonly issuer: string;
  /** Whose `X-Forwarded-For` is believed: addresses and CIDR ranges. */
  readonly trustedProxies: readonly string[];
  /** Pages of other hosts that may read answers. */
  readonly corsOrigins: readonly string[];
  readonly staleSeconds: number;
  readonly temporalUiUrl: string | null;
  readonly temporalNamespace: string;
  readonly metricsPath: string;
  readonly metricsEnabled: boolean;
  /** Longest that a handler may take before the caller is told so, ms. */
  readonly requestTimeoutMs: number;
  /** Longest wait until a cancelled dispatch is known to be in effect, ms. */
  readonly confirmCancelWithinMs: number;
  /** Each answer is held against its schema, and one that does not fit is a fault of ours. For tests. */
  readonly checkAnswers: boolean;
}

export interface MachineTokenPort {
  list(page: { beforeId: string | null; limit: number }): Promise<readonly MachineToken[]>;
  issue(order: MachineTokenOrder): Promise<MachineToken>;
  /** @throws {DermsError} MACHINE_TOKEN_NOT_FOUND */
  revoke(order: { tokenId: string; reason: string; actor: Actor }): Promise<MachineToken>;
}

export interface RevocationPort {
  list(page: { beforeId: number | null; limit: number }): Promise<readonly Revocation[]>;
  revoke(order: RevocationOrder): Promise<Revoked>;
}

export interface FeederPort {
  /** Every feeder, or those of one tree, with loops, device counts and dispatches in force. */
  picture(rootFeederId: string | null): Promise<FleetPicture>;
  read(feederId: string): Promise<FeederRecord>;
  put(change: Omit<FeederChange, 'defaultIntervalSeconds'> & { fields: FeederFields }): Promise<FeederChanged>;
  patch(change: Omit<FeederChange, 'defaultIntervalSeconds'>): Promise<FeederChanged>;
}

export interface LoopPort {
  read(rootFeederId: string): Promise<LoopRecord | null>;
  proposal(rootFeederId: string): Promise<Proposal | null>;
  cycles(page: CyclePage): Promise<CycleRecord[]>;
  order(order: LoopOrder): Promise<FeederRecord>;
  approve(approval: { feederId: string; planId: string; actor: Actor }): Promise<Approval>;
}

export interface DevicePort {
  list(filter: DeviceFilter): Promise<DeviceRecord[]>;
  read(deviceId: string): Promise<DeviceRecord>;
  patch(change: DeviceChange): Promise<DeviceChanged>;
  telemetry(deviceId: string, page: SeriesPage): Promise<TelemetrySample[]>;
  telemetryQuarterHours(deviceId: string, page: SeriesPage): Promise<TelemetryQuarterHour[]>;
  setpoints(deviceId: string, page: { before: string | null; limit: number }): Promise<SetpointRecord[]>;
}

export interface TelemetryPort {
  meter(feederId: string, page: SeriesPage): Promise<MeterSample[]>;
  meterQuarterHours(feederId: string, page: SeriesPage): Promise<QuarterHour[]>;
  refused(page: { reason: string | null; beforeId: number | null; limit: number }): Promise<RefusedMessage[]>;
  refusedSenders(page: RefusedSendersPage): Promise<RefusedSender[]>;
}

export interface QuarantinePort {
  /** Asked before every write. */
  inForce(): Promise<Quarantine | null>;
  read(): Promise<{ readonly quarantines: readonly Quarantine[]; readonly lastReconciliation: Reconciliation | null }>;
  /** @returns it as it is now, and what has to hear of it. */
  lift(order: { readonly reason: string; readonly force: boolean; readonly actor: Actor }): Promise<QuarantineLifted>;
}

export interface QuarantineLifted {
  readonly quarantine: Quarantine;
  /** Roots of the enabled trees. */
  readonly rootFeederIds: readonly string[];
  readonly openDispatchIds: readonly string[];
}

export interface EnvelopePort {
  list(page: EnvelopePage): Promise<EnvelopeRecord[]>;
  set(order: EnvelopeOrder): Promise<EnvelopesSet>;
}

export interface PlanPort {
  /** @throws {DermsError} CYCLE_NOT_FOUND, CYCLE_NOT_REPLAYABLE. */
  cycle(question: CycleQuestion): Promise<StoredCycle>;
  /** What a plan would be made from now; null when the feeder is no root. */
  present(rootFeederId: string): Promise<TreeSnapshot | null>;
}

export interface AuditPort {
  list(filter: AuditFilter): Promise<AuditRow[]>;
  /** Oldest first, with their places in the chain. */
  export(span: ExportSpan): AsyncIterable<ExportedEntry>;
  /** For attempts that come to nothing; what succeeds is written in its own transaction. */
  append(actor: Actor, entry: AuditEntry): Promise<void>;
}

/** Messages to workflows. Each is bounded and rejects with a `DermsError`. */
export interface WorkflowPort {
  /** null, or why Temporal is known to be away: at most a second old, asked within a second. */
  unavailable(): Promise<string | null>;
  /** @throws {DermsError} CONTROL_LOOP_NOT_RUNNING, TEMPORAL_UNAVAILABLE. */
  loopStatus(rootFeederId: string): Promise<ControlLoopStatus>;
  wakeControlLoop(rootFeederId: string): Promise<void>;
  stopControlLoop(rootFeederId: string): Promise<void>;
  startControlLoop(rootFeederId: string): Promise<void>;
  /** `accepted`: what a database restored from before would need to have the dispatch again. */
  startDispatch(
    dispatchId: string,
    rootFeederId: string,
    summary: string,
    accepted?: Readonly<Record<string, unknown>>,
  ): Promise<void>;
  tellDispatch(dispatchId: string): Promise<void>;
  startJobRun(run: { readonly runId: string; readonly jobName: string; readonly input: unknown }): Promise<void>;
  cancelJobRun(workflowId: string): Promise<void>;
  terminateJobRun(workflowId: string, reason: string): Promise<void>;
}
