import type { Deletion } from '../domain/deletion';
import { EXACT_UTC } from './exact-utc';
import type { Queryable } from './pool';

/** One that the storage of the backups does not have yet. */
interface UnstoredDeletion extends Deletion {
  readonly deletionId: string;
}

/** Oldest first. */
export async function unstoredDeletions(db: Queryable, limit: number): Promise<UnstoredDeletion[]> {
  const { rows } = await db.query<UnstoredDeletion & Record<string, unknown>>(
    `select deletion_id as "deletionId", kind, subject,
            to_char(deleted_at at time zone 'UTC', '${EXACT_UTC}') as "deletedAt"
       from deletions where stored_at is null order by deletion_id limit $1`,
    [limit],
  );
  return rows;
}

export async function markStored(db: Queryable, deletionIds: readonly string[]): Promise<void> {
  await db.query('update deletions set stored_at = now() where deletion_id = any($1::bigint[])', [deletionIds]);
}

export async function countUnstored(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ n: number }>('select count(*)::int4 as n from deletions where stored_at is null');
  return rows[0]?.n ?? 0;
}
