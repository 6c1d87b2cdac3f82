-- Drills break a part on purpose. What they measured stays for good; what their canary wrote goes when they are over.

create table drill_reports (
  run_id      uuid primary key,
  drill       text not null,
  scenario    text not null,
  started_at  timestamptz not null,
  finished_at timestamptz not null,
  verdict     text not null check (verdict in ('passed', 'failed')),
  -- Longest time without an acknowledged write.
  gap_ms      double precision not null,
  report      jsonb not null
);
create index drill_reports_by_time on drill_reports (drill, finished_at desc);

create table drill_canary (
  run_id     uuid not null,
  seq        integer not null,
  written_at timestamptz not null default now(),
  primary key (run_id, seq)
);
