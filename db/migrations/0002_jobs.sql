-- Jobs: every run with what came of it, its story, its proof; and what became of every nominal tick of every schedule.
-- Rows of runs outlive Temporal's own memory of them; evidence is never removed.

create table job_runs (
  run_id                 uuid primary key,
  job_name               text not null,
  workflow_id            text not null unique,
  origin                 text not null check (origin in ('api', 'schedule', 'temporal')),
  -- Of scheduled runs: the schedule, and the tick they were made for.
  schedule_id            text,
  nominal_at             timestamptz,
  requested_by           text not null,
  requested_at           timestamptz not null default now(),
  idempotency_key        text,
  input                  jsonb not null,
  state                  text not null check (state in ('waiting', 'running', 'succeeded', 'failed', 'cancelled', 'terminated', 'skipped')),
  -- One place of those the job has at a time: held from the request (or the first step) until the run is known to be over.
  slot                   text,
  released_at            timestamptz,
  skipped_for            uuid references job_runs,
  started_at             timestamptz,
  finished_at            timestamptz,
  -- The worker that runs it said so last; silence of half a minute means that nothing of it goes on.
  heartbeat_at           timestamptz,
  cancel_requested_at    timestamptz,
  cancel_requested_by    text,
  cancel_reason          text,
  cancel_acknowledged_at timestamptz,
  step                   text,
  attempt                integer not null default 0,
  progress               jsonb,
  steps                  jsonb not null default '[]',
  result                 jsonb,
  -- {code, message} of what failed, or why it was skipped, cancelled or terminated.
  failure                jsonb,
  last_event             bigint not null default 0,
  check ((finished_at is null) = (state in ('waiting', 'running'))),
  check (released_at is null or finished_at is not null)
);
create unique index job_runs_slots on job_runs (slot) where slot is not null and released_at is null;
create unique index job_runs_idempotency on job_runs (requested_by, idempotency_key) where idempotency_key is not null;
create index job_runs_by_request on job_runs (requested_at desc, run_id desc);
create index job_runs_by_job on job_runs (job_name, requested_at desc, run_id desc);
create index job_runs_open on job_runs (requested_at) where finished_at is null or released_at is null and slot is not null;
create index job_runs_successes on job_runs (job_name, finished_at desc) where state = 'succeeded';
create index job_runs_by_outcome on job_runs (job_name, state);
create index job_runs_by_tick on job_runs (schedule_id, nominal_at) where schedule_id is not null;

-- Numbered by run without gaps, so that a reader that was cut off goes on where it was.
create table job_run_events (
  run_id uuid not null references job_runs,
  seq    bigint not null,
  at     timestamptz not null,
  kind   text not null check (kind in ('state', 'step', 'log', 'cancel')),
  data   jsonb not null,
  primary key (run_id, seq)
);

create table job_evidence (
  id     bigint generated always as identity primary key,
  run_id uuid not null references job_runs,
  at     timestamptz not null default now(),
  kind   text not null,
  data   jsonb not null
);
create index job_evidence_by_run on job_evidence (run_id, id);

-- The schedules this deployment has, as they were declared and as they were last seen.
create table schedules (
  schedule_id      text primary key,
  job_name         text,
  cron             text not null,
  overlap          text not null check (overlap in ('skip', 'buffer-one')),
  catch_up_seconds double precision not null,
  -- Since it has these times.
  times_since      timestamptz not null default now(),
  -- First of all; freshness counts from here until the job has succeeded once.
  declared_at      timestamptz not null default now(),
  -- Ticks up to here are accounted for.
  audited_until    timestamptz not null default now(),
  retired_at       timestamptz
);

-- When a schedule was seen paused, and when it was seen to go on.
create table schedule_pauses (
  schedule_id text not null references schedules,
  paused_at   timestamptz not null,
  resumed_at  timestamptz,
  note        text not null,
  primary key (schedule_id, paused_at)
);

create table schedule_ticks (
  schedule_id  text not null references schedules,
  nominal_at   timestamptz not null,
  outcome      text not null check (outcome in ('ran', 'skipped', 'missed', 'paused')),
  run_id       uuid references job_runs,
  late_seconds double precision,
  detail       text,
  accounted_at timestamptz not null default now(),
  primary key (schedule_id, nominal_at)
);
