import type { Queryable } from './pool';

/** The rows that one drill's canary writes, in a table that nothing else uses. */
export const drillCanary = (db: Queryable, runId: string) => ({
  async write(seq: number): Promise<void> {
    await db.query('insert into drill_canary (run_id, seq) values ($1, $2) on conflict do nothing', [runId, seq]);
  },
  /** The largest; 0 while there is none. */
  async newest(): Promise<number> {
    const { rows } = await db.query<{ seq: number }>(
      'select coalesce(max(seq), 0)::integer as seq from drill_canary where run_id = $1',
      [runId],
    );
    return rows[0]?.seq ?? 0;
  },
  /** Those of `seqs` that are not there. */
  async missing(seqs: readonly number[]): Promise<number[]> {
    const { rows } = await db.query<{ seq: number }>(
      `select wanted.seq from unnest($2::integer[]) as wanted(seq)
        where not exists (select from drill_canary c where c.run_id = $1 and c.seq = wanted.seq) order by 1`,
      [runId, seqs],
    );
    return rows.map(({ seq }) => seq);
  },
  async remove(): Promise<void> {
    await db.query('delete from drill_canary where run_id = $1', [runId]);
  },
});
