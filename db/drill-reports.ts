import type { DrillName } from '../domain/drills';
import type { Queryable } from './pool';
import { storableJson } from './storable-json';

/** A drill that is over. */
export interface DrillRow {
  readonly runId: string;
  readonly drill: DrillName;
  readonly scenario: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly verdict: 'passed' | 'failed';
  readonly canary: { readonly writes: { readonly gapMs: number } };
}

/** The newest of each drill. */
export interface LastDrillReport {
  readonly drill: DrillName;
  readonly passed: boolean;
  readonly gapSeconds: number;
  /** Seconds since the epoch. */
  readonly finishedAt: number;
  /** Of the newest that passed; 0 when none has. */
  readonly passedAt: number;
}

/** Safe to repeat. */
export async function recordDrill(db: Queryable, report: DrillRow): Promise<void> {
  await db.query(
    `insert into drill_reports (run_id, drill, scenario, started_at, finished_at, verdict, gap_ms, report)
     values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (run_id) do nothing`,
    [
      ...[report.runId, report.drill, report.scenario, report.startedAt, report.finishedAt, report.verdict],
      ...[report.canary.writes.gapMs, storableJson(report)],
    ],
  );
}

/** One for each drill that ever was. */
export async function readLastDrills(db: Queryable): Promise<LastDrillReport[]> {
  const { rows } = await db.query<LastDrillReport>(
    `select distinct on (drill) drill, verdict = 'passed' as passed, gap_ms / 1000 as "gapSeconds",
            extract(epoch from finished_at)::double precision as "finishedAt",
            coalesce((select extract(epoch from max(p.finished_at))::double precision from drill_reports p
                       where p.drill = d.drill and p.verdict = 'passed'), 0) as "passedAt"
       from drill_reports d order by drill, finished_at desc`,
  );
  return rows;
}

/** Dispatches that a drill would disturb: those that are active, and those that begin within that time. */
export async function liveDispatches(db: Queryable, withinSeconds: number): Promise<string[]> {
  const { rows } = await db.query<{ dispatch_id: string }>(
    `select dispatch_id from dispatches
      where state = 'active' or (state = 'scheduled' and begins_at < now() + make_interval(secs => $1))
      order by begins_at limit 20`,
    [withinSeconds],
  );
  return rows.map((row) => row.dispatch_id);
}
