import type { AuditReport } from '../../audit/report';
import type { DatabaseBackupPorts } from '../../backups/database-ports';
import type { DumpManifest } from '../../backups/manifest-schema';
import type { MqttBackupPorts } from '../../backups/mqtt/backup-ports';
import type { DrillReport, DrillTargets } from '../../backups/restore/drill-report';
import type { DrillOrder } from '../../backups/restore/run-drill';
import type { DrillName } from '../../domain/drills';
import type { SecretAges } from '../../domain/secret-age';
import type { TickOutcome } from '../../domain/tick-accounting';
import type { DrillReport as FailoverReport } from '../../drills/drill';
import type { DrillOrder as FailoverOrder } from '../../drills/run-drill';
import type { LiveSystem } from '../../backups/restore/target-server';

/** What the jobs stand on; `worker/roles/jobs.ts` joins it to the real things. Each job takes what it needs. */
export interface JobPorts {
  readonly now: () => Date;
  readonly timeSeries: TimeSeriesPort;
  readonly schedules: {
    /** Accounts for the ticks since the last time that are older than the grace, by schedule. */
    audit: (graceSeconds: number) => Promise<
      readonly (Readonly<Record<TickOutcome, number>> & {
        readonly scheduleId: string;
        readonly latestSeconds: number;
      })[]
    >;
  };
  /** A sentence where this deployment cannot back up its brokers: what it lacks. */
  readonly mqttBackup: MqttBackupPorts | string;
  /** The same of the database. */
  readonly databaseBackup: DatabaseBackupPorts | string;
  /** A sentence where this deployment cannot restore: what it lacks. */
  readonly restoreDrill: RestoreDrillPort | string;
  /** A sentence where this deployment cannot keep heads of the audit chain: what it lacks. */
  readonly auditChain: AuditChainPort | string;
  readonly secrets: SecretsPort;
  /** By drill; a sentence where this deployment lacks something for it. */
  readonly drills: Readonly<Record<DrillName, DrillPort | string>>;
}

export interface SecretsPort {
  /** How old everything is that any process tells of; forgets what processes told that are gone, and says how many. */
  check(): Promise<SecretAges & { readonly forgotten: number }>;
}

/** Breaks a part on purpose and measures what comes of it. */
export interface DrillPort {
  /** Keeps the report too. Rejects with `DrillRefused` when it must not begin. */
  run(order: FailoverOrder & { readonly scenario: string }): Promise<FailoverReport>;
  /** Undoes what a run that was cut short may have left. */
  recover(runId: string): Promise<void>;
}

export interface AuditChainPort {
  /** Seals, signs and puts the head into storage; null while the log is empty. */
  storeHead(
    signal: AbortSignal,
  ): Promise<{ readonly key: string; readonly position: number; readonly signedAt: string } | null>;
  verify(signal: AbortSignal, onProgress: (entries: number) => void): Promise<AuditReport>;
}

/** Restores of backups that show whether they can be. */
export interface RestoreDrillPort {
  readonly deployment: LiveSystem['deployment'];
  /** Larger databases are drilled on some days only. */
  readonly maxBytes: number;
  readonly targets: DrillTargets;
  /** `latest`, or the id of a backup. Rejects with a `RestoreFailure` when there is none. */
  choose(wanted: string): Promise<DumpManifest>;
  /** Fills the report as it goes. */
  run(order: DrillOrder, report: { -readonly [K in keyof DrillReport]: DrillReport[K] }): Promise<void>;
  /** What the drill says of the backup from now on. */
  record(outcome: {
    readonly backup: DumpManifest;
    readonly report: DrillReport;
    readonly runId: string;
    readonly verdict: 'passed' | 'failed';
    readonly failure: { readonly code: string; readonly message: string } | null;
  }): Promise<void>;
}

/** Time series in their partitions, and rows that are kept for a time. */
export interface TimeSeriesPort {
  /** Why nothing may be removed now (restored data that nobody has released); null: nothing speaks against it. */
  heldBackBy(): Promise<string | null>;
  /** Makes the partitions of the coming days; returns their names. */
  prepare(): Promise<readonly string[]>;
  /** Partitions past their time, oldest first. */
  outdated(): Promise<readonly OutdatedPartition[]>;
  /** Carries over what is to outlive it, then removes it; null when a reader holds on to it and the next run will. */
  close(partitionName: string, run: { runId: string; signal: AbortSignal }): Promise<ClosedPartition | null>;
  /** What the run has closed, earlier attempts of it too. */
  closedBy(runId: string): Promise<readonly ClosedPartition[]>;
  /** Removes rows of both kinds that are past their time; returns how many. */
  removeOldLines(signal: AbortSignal): Promise<{ readonly runLogLines: number; readonly refusedMessages: number }>;
}

export interface OutdatedPartition {
  readonly series: string;
  readonly name: string;
  readonly startsAt: string;
  readonly endsAt: string;
  /** As the server estimates it. */
  readonly rowsAbout: number;
}

export interface ClosedPartition {
  readonly series: string;
  readonly name: string;
  readonly rows: number;
  /** Sums made of them, or rows kept apart. */
  readonly carriedRows: number;
  /** false: somebody still reads it (a dump), and the next run removes it. */
  readonly removed: boolean;
}
