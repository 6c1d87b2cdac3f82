/** What is known of stored backups, in Postgres; joined to `db/backups.ts`. */
export interface BackupCatalogue {
  add(backup: CataloguedBackup): Promise<void>;
  /** @returns the id of the check, which is the proof when it passed. */
  addCheck(check: BackupCheck): Promise<number>;
  /** Still in storage, newest first. */
  kept(kind: 'dump' | 'base'): Promise<KeptBackup[]>;
  /** Backups of the database that are due for another look, longest ago first. */
  toCheck(most: number): Promise<KeptBackup[]>;
  /** null when there is none that can still be looked at. */
  find(backupId: string): Promise<KeptBackup | null>;
  /** A run of this job that was asked for after `takenAt` has failed. */
  hasFailedSince(jobName: string, takenAt: string): Promise<boolean>;
  /** Why nothing may be removed now: a restored catalogue knows less than storage holds. null: nothing speaks against it. */
  heldBackBy(): Promise<string | null>;
  beginDeletion(backupId: string, proof: object): Promise<void>;
  endDeletion(backupId: string): Promise<void>;
  abandonDeletion(backupId: string): Promise<void>;
}

export interface CataloguedBackup {
  readonly backupId: string;
  readonly kind: 'dump' | 'base' | 'mqtt';
  readonly key: string;
  readonly runId: string;
  readonly takenAtMs: number;
  readonly storedBytes: number;
  readonly manifest: object;
}

export interface BackupCheck {
  readonly backupId: string;
  readonly kind: 'verification' | 'restore-drill';
  readonly runId: string;
  readonly verdict: 'passed' | 'failed';
  readonly details: object;
}

export interface KeptBackup {
  readonly backupId: string;
  readonly kind: 'dump' | 'base' | 'mqtt';
  readonly key: string;
  /** ISO 8601, UTC. */
  readonly takenAt: string;
  readonly storedBytes: number;
  readonly lastVerdict: 'passed' | 'failed' | null;
  readonly proofCheckId: number | null;
}
