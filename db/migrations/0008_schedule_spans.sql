-- What a schedule was when: a tick is judged by what held at its time. `schedules` says what this program declares;
-- a span begins when Temporal has taken it. schedules.times_since is not read any more.

create table schedule_spans (
  schedule_id      text not null references schedules,
  from_at          timestamptz not null,
  until_at         timestamptz,
  cron             text not null,
  overlap          text not null check (overlap in ('skip', 'buffer-one')),
  catch_up_seconds double precision not null,
  primary key (schedule_id, from_at),
  check (until_at >= from_at)
);
create unique index schedule_spans_in_force on schedule_spans (schedule_id) where until_at is null;

insert into schedule_spans (schedule_id, from_at, until_at, cron, overlap, catch_up_seconds)
  select schedule_id, times_since, case when retired_at is not null then greatest(times_since, retired_at) end,
         cron, overlap, catch_up_seconds
    from schedules;

-- Of the moment: `waiting` for a worker or its turn, and `due`. Each audit judges them again.
alter table schedule_ticks drop constraint schedule_ticks_outcome_check;
alter table schedule_ticks add constraint schedule_ticks_outcome_check
  check (outcome in ('ran', 'skipped', 'missed', 'paused', 'waiting', 'due'));
create index schedule_ticks_open on schedule_ticks (schedule_id, nominal_at) where outcome in ('waiting', 'due');
create index schedule_ticks_missed on schedule_ticks (schedule_id) where outcome = 'missed';
-- The run of one that waits has no row yet; rows of runs may go, what became of a tick stays.
alter table schedule_ticks drop constraint schedule_ticks_run_id_fkey;

-- Runs that are over, counted as they end: what metrics say does not shrink with the rows.
create table job_run_totals (
  job_name text not null,
  state    text not null,
  runs     bigint not null,
  primary key (job_name, state)
);
insert into job_run_totals (job_name, state, runs)
  select job_name, state, count(*) from job_runs where finished_at is not null group by 1, 2;
