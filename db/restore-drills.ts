import type { Queryable } from './pool';

/** Of the last drill that restored its backup. */
export interface LastDrill {
  /** Seconds since the epoch. */
  readonly at: number;
  readonly rtoSeconds: number;
  readonly rpoSeconds: number;
}

/** null when no drill has succeeded yet. */
export async function readLastDrill(db: Queryable): Promise<LastDrill | null> {
  const { rows } = await db.query<LastDrill>(
    `select extract(epoch from at)::double precision as at,
            coalesce((details->>'rtoSeconds')::double precision, 0) as "rtoSeconds",
            coalesce((details->>'rpoSeconds')::double precision, 0) as "rpoSeconds"
       from backup_checks where kind = 'restore-drill' and verdict = 'passed' order by check_id desc limit 1`,
  );
  return rows[0] ?? null;
}
