import { DRILL_SILENCE_SECONDS } from '../domain/drill-silence';
import type { Queryable } from './pool';

/** A drill under way: until when its own alerts keep quiet, seconds since the epoch. */
export interface DrillSilence {
  readonly jobName: string;
  readonly until: number;
}

export async function readDrillSilences(db: Queryable): Promise<DrillSilence[]> {
  const jobNames = Object.keys(DRILL_SILENCE_SECONDS);
  const { rows } = await db.query<{ job_name: string; started_at: number }>(
    `select job_name, max(extract(epoch from started_at))::float8 as started_at from job_runs
      where job_name = any($1) and state = 'running' and finished_at is null group by job_name`,
    [jobNames],
  );
  return rows.map(({ job_name: jobName, started_at: startedAt }) => ({
    jobName,
    until: startedAt + (DRILL_SILENCE_SECONDS[jobName] ?? 0),
  }));
}
