import type { Client } from 'pg';
import type { Deletion } from '../domain/deletion';
import { ensureApplicationRole } from './application-role';
import { appendAudit } from './audit';
import { migrate } from './migrate';
import { imposeQuarantine } from './quarantine';
import { replayDeletions, type DeletionsReplayed } from './replay-deletions';

export interface RestoredFrom {
  readonly backupId: string;
  /** The moment that the data shows. */
  readonly takenAt: string;
  /** Person or run that restores, for the record. */
  readonly by: string;
  /** Role of the application; null password: as it is. */
  readonly applicationRole: string;
  readonly applicationPassword: string | null;
  /** What was taken away after the backup, and shall not come back with it. */
  readonly deletions: readonly Deletion[];
}

/**
 * Makes a database that was just restored fit for this program and keeps it from acting: migrations that the backup did
 * not have yet, the application's rights on what they made, what was deleted since, and the quarantine. Needs the owner of
 * the schema.
 *
 * @throws {MigrationError} when the backup is of a newer program.
 */
export async function prepareRestored(client: Client, restored: RestoredFrom): Promise<DeletionsReplayed> {
  const applied = await migrate(client);
  await ensureApplicationRole(client, restored.applicationRole, restored.applicationPassword);
  const { backupId, takenAt, by, deletions } = restored;
  await client.query('begin');
  try {
    const reason = `restored from backup ${backupId}, as of ${takenAt}`;
    // What it says that the broker acknowledged is older than what devices do: after the lift all of it is sent again.
    await client.query('update broker_session set epoch = epoch + 1, started_at = now()');
    // Revocations of after the backup are not in it: people log in again rather than that one of them is forgotten.
    await client.query(`insert into token_revocations (revoked_by, reason, issued_before) values ($1, $2, now())`, [
      by,
      reason,
    ]);
    await client.query('update audit_sealing set settled_before = null'); // numbers of another cluster's transactions
    const replay = await replayDeletions(client, deletions);
    await imposeQuarantine(client, { by, reason, restoredFrom: backupId, dataAsOf: takenAt });
    const actor = { user: by, role: 'restore', requestId: '-', address: '-' };
    const { length: deletedAgain } = replay.replayed;
    const detail = { takenAt, migrations: applied, deletedAgain };
    await appendAudit(client, actor, { action: 'database.restore', subject: backupId, outcome: 'done', detail });
    await client.query('commit');
    return replay;
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
}
