import { EXACT_UTC } from './exact-utc';
import type { Queryable } from './pool';
import { storableJson } from './storable-json';

export const BACKUP_KINDS = ['dump', 'base', 'mqtt'] as const;
export type BackupKind = (typeof BACKUP_KINDS)[number];
export const BACKUP_STATES = ['stored', 'verified', 'restored', 'damaged', 'deleted'] as const;
export type BackupState = (typeof BACKUP_STATES)[number];
export type CheckVerdict = 'passed' | 'failed';

export interface BackupRecord {
  readonly backupId: string;
  readonly kind: BackupKind;
  readonly key: string;
  readonly runId: string;
  readonly takenAt: string;
  readonly storedAt: string;
  readonly storedBytes: number;
  readonly state: BackupState;
  readonly verifiedAt: string | null;
  readonly restoredAt: string | null;
  readonly checkedAt: string | null;
  readonly lastVerdict: CheckVerdict | null;
  /** The last check that passed; null when none has since the last one that failed. */
  readonly proofCheckId: number | null;
  readonly deletedAt: string | null;
  readonly deletedProof: Readonly<Record<string, unknown>> | null;
}

export interface CheckRecord {
  readonly checkId: number;
  readonly at: string;
  readonly kind: string;
  readonly runId: string;
  readonly verdict: CheckVerdict;
  readonly details: Readonly<Record<string, unknown>>;
}

export interface NewBackup {
  readonly backupId: string;
  readonly kind: BackupKind;
  readonly key: string;
  readonly runId: string;
  readonly takenAtMs: number;
  readonly storedBytes: number;
  readonly manifest: object;
}

export interface NewCheck {
  readonly backupId: string;
  /** `verification`, `restore-drill`. */
  readonly kind: string;
  readonly runId: string;
  readonly verdict: CheckVerdict;
  readonly details: object;
}

const exactUtc = (column: string): string => `to_char(${column} at time zone 'UTC', '${EXACT_UTC}')`;

const COLUMNS = `backup_id as "backupId", kind, storage_key as key, run_id as "runId",
  ${exactUtc('taken_at')} as "takenAt", ${exactUtc('stored_at')} as "storedAt", stored_bytes::double precision as "storedBytes",
  state, ${exactUtc('verified_at')} as "verifiedAt", ${exactUtc('restored_at')} as "restoredAt",
  ${exactUtc('checked_at')} as "checkedAt", last_verdict as "lastVerdict",
  ${exactUtc('deleted_at')} as "deletedAt", deleted_proof as "deletedProof",
  (select max(check_id)::double precision from backup_checks c
    where c.backup_id = backups.backup_id and c.verdict = 'passed' and backups.last_verdict = 'passed') as "proofCheckId"`;

/** Makes the row of a backup that is whole in storage; repeating it, or finding it again later, is harmless. */
export async function addBackup(db: Queryable, backup: NewBackup): Promise<void> {
  await db.query(
    `insert into backups (backup_id, kind, storage_key, run_id, taken_at, stored_bytes, manifest)
     values ($1, $2, $3, $4, to_timestamp($5::double precision / 1000), $6, $7)
     on conflict (backup_id) do nothing`,
    [
      backup.backupId,
      backup.kind,
      backup.key,
      backup.runId,
      backup.takenAtMs,
      backup.storedBytes,
      storableJson(backup.manifest),
    ],
  );
}

/** Records a look at a backup, and what it says of the backup from now on. @returns the id of the check: the proof. */
export async function addCheck(db: Queryable, check: NewCheck): Promise<number> {
  const { rows } = await db.query<{ check_id: number }>(
    `with added as (
       insert into backup_checks (backup_id, kind, run_id, verdict, details) values ($1, $2, $3, $4, $5)
       returning check_id, backup_id, at, kind, verdict
     ), told as (
       update backups set checked_at = added.at, last_verdict = added.verdict,
              verified_at = case when added.verdict = 'passed' then added.at else verified_at end,
              restored_at = case when added.verdict = 'passed' and added.kind = 'restore-drill' then added.at else restored_at end
         from added where backups.backup_id = added.backup_id
     )
     select check_id::double precision from added`,
    [check.backupId, check.kind, check.runId, check.verdict, storableJson(check.details)],
  );
  const [row] = rows;
  if (row === undefined) throw new Error(`the check of backup ${check.backupId} was not stored`);
  return row.check_id;
}

/** Backups that are still in storage, newest first. */
export async function listKeptBackups(db: Queryable, kind: BackupKind): Promise<BackupRecord[]> {
  const { rows } = await db.query<BackupRecord>(
    `select ${COLUMNS} from backups where kind = $1 and deleted_at is null order by taken_at desc, backup_id desc`,
    [kind],
  );
  return rows;
}

export interface BackupPage {
  readonly kind: BackupKind | null;
  readonly state: BackupState | null;
  readonly before: readonly [takenAt: string, backupId: string] | null;
  readonly limit: number;
}

/** Newest first; those that were deleted too. */
export async function listBackups(db: Queryable, { kind, state, before, limit }: BackupPage): Promise<BackupRecord[]> {
  const { rows } = await db.query<BackupRecord>(
    `select ${COLUMNS} from backups
      where ($1::text is null or kind = $1) and ($2::text is null or state = $2)
        and ($3::timestamptz is null or (taken_at, backup_id) < ($3, $4::uuid))
      order by taken_at desc, backup_id desc limit $5`,
    [kind, state, before?.[0] ?? null, before?.[1] ?? null, limit],
  );
  return rows;
}

export interface BackupStory {
  readonly backup: BackupRecord;
  readonly manifest: Readonly<Record<string, unknown>>;
  readonly checks: CheckRecord[];
}

/** null when there is no such backup. Checks newest first, the last hundred. */
export async function readBackup(db: Queryable, backupId: string): Promise<BackupStory | null> {
  const { rows } = await db.query<BackupRecord & Pick<BackupStory, 'manifest'>>(
    `select ${COLUMNS}, manifest from backups where backup_id = $1`,
    [backupId],
  );
  const [row] = rows;
  if (row === undefined) return null;
  const { manifest, ...backup } = row;
  const checks = await db.query<CheckRecord>(
    `select check_id::double precision as "checkId", ${exactUtc('at')} as at, kind, run_id as "runId", verdict, details
       from backup_checks where backup_id = $1 order by check_id desc limit 100`,
    [backupId],
  );
  return { backup, manifest, checks: checks.rows };
}

/** Dumps and base backups that are due for another look: those never looked at, then those looked at longest ago. */
export async function listBackupsToCheck(db: Queryable, most: number): Promise<BackupRecord[]> {
  const { rows } = await db.query<BackupRecord>(
    `select ${COLUMNS} from backups where deleted_proof is null and kind in ('dump', 'base')
      order by backups.checked_at nulls first, taken_at limit $1`,
    [most],
  );
  return rows;
}

/** null when there is no such dump or base backup, or it is let go. */
export async function findBackup(db: Queryable, backupId: string): Promise<BackupRecord | null> {
  const { rows } = await db.query<BackupRecord>(
    `select ${COLUMNS} from backups where backup_id = $1 and kind in ('dump', 'base') and deleted_proof is null`,
    [backupId],
  );
  return rows[0] ?? null;
}

/** Whether a run of the job that was asked for after `takenAt` has failed: what it should have made is not there. */
export async function hasFailedSince(db: Queryable, jobName: string, takenAt: string): Promise<boolean> {
  const { rowCount } = await db.query(
    `select 1 from job_runs
      where job_name = $1 and requested_at > $2::timestamptz and state in ('failed', 'terminated') limit 1`,
    [jobName, takenAt],
  );
  return rowCount !== 0;
}

/** Says that a backup is let go, and by which proof, before anything of it is removed: nobody looks at it any more. */
export async function beginDeletion(db: Queryable, backupId: string, proof: object): Promise<void> {
  await db.query('update backups set deleted_proof = $2 where backup_id = $1 and deleted_at is null', [
    backupId,
    storableJson(proof),
  ]);
}

/** Storage has nothing of it any more. */
export async function endDeletion(db: Queryable, backupId: string): Promise<void> {
  await db.query('update backups set deleted_at = now() where backup_id = $1 and deleted_at is null', [backupId]);
}

/** Storage does not let it go: it stays a backup. */
export async function abandonDeletion(db: Queryable, backupId: string): Promise<void> {
  await db.query('update backups set deleted_proof = null where backup_id = $1 and deleted_at is null', [backupId]);
}

export interface BackupTimes {
  readonly kind: BackupKind;
  /** Seconds since the epoch of what the newest backup holds; 0 when there is none. */
  readonly lastSuccess: number;
  /** The same of the newest one whose last check passed. */
  readonly lastVerified: number;
}

/** For metrics: of every kind, also of those that have no backup yet. */
export async function readBackupTimes(db: Queryable): Promise<{ times: BackupTimes[]; failedVerifications: number }> {
  const { rows } = await db.query<BackupTimes>(
    `select kind, coalesce(extract(epoch from max(taken_at)), 0)::double precision as "lastSuccess",
            coalesce(extract(epoch from max(taken_at) filter (where last_verdict = 'passed')), 0)::double precision as "lastVerified"
       from unnest($1::text[]) kind left join backups using (kind) group by kind`,
    [BACKUP_KINDS],
  );
  const failed = await db.query<{ count: number }>(
    `select count(*)::integer as count from backup_checks where verdict = 'failed'`,
  );
  return { times: rows, failedVerifications: failed.rows[0]?.count ?? 0 };
}
