import type { Queryable } from './pool';

/** How the archiving of the server's log goes, as the server says it. */
export interface ArchiverFigures {
  /** `archive_mode` is not off. */
  readonly archives: boolean;
  /** Files archived, and refused by `archive_command`, since the server's statistics were last reset. */
  readonly archived: number;
  readonly failed: number;
  /** Seconds since the epoch; 0 when it never happened. */
  readonly lastArchived: number;
  readonly lastFailed: number;
}

export async function readArchiver(db: Queryable): Promise<ArchiverFigures> {
  const { rows } = await db.query<ArchiverFigures>(
    `select current_setting('archive_mode') <> 'off' as archives,
            archived_count::double precision as archived, failed_count::double precision as failed,
            coalesce(extract(epoch from last_archived_time), 0)::double precision as "lastArchived",
            coalesce(extract(epoch from last_failed_time), 0)::double precision as "lastFailed"
       from pg_stat_archiver`,
  );
  const [row] = rows;
  if (row === undefined) throw new Error('the server has no archiver statistics');
  return row;
}
