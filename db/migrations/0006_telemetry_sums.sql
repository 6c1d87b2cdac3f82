-- What outlives the time series: quarter-hour sums of telemetry, and the cycles and setpoints under a dispatch.

-- One row per device and quarter of an hour of a day whose raw samples were removed; kept two years. Partitioned by month.
-- `real` has seven digits, more than any meter; at 20,000 devices each column of half the width saves 5 GB.
create table telemetry_quarter_hours (
  device_key       integer not null,
  quarter_at       timestamptz not null,
  samples          integer not null check (samples > 0),
  online_samples   integer not null,
  fault_samples    integer not null,
  -- Over the samples, which come at a steady rate: with all samples there, a quarter of it is the energy in kWh.
  mean_kw          real not null,
  min_kw           real not null,
  max_kw           real not null,
  -- The device's own counter, first and last in the quarter.
  energy_first_kwh double precision,
  energy_last_kwh  double precision,
  soc_first        real,
  soc_last         real,
  voltage_min_v    real,
  voltage_max_v    real,
  primary key (device_key, quarter_at)
) partition by range (quarter_at);

create table meter_quarter_hours (
  feeder_id  der_id not null,
  quarter_at timestamptz not null,
  samples    integer not null check (samples > 0),
  mean_kw    real not null,
  min_kw     real not null,
  max_kw     real not null,
  primary key (feeder_id, quarter_at)
) partition by range (quarter_at);

-- Cycles that planned while a dispatch was in force, and the setpoints they changed: kept as long as the dispatch.
create table kept_cycles (
  like control_cycles including constraints,
  primary key (root_feeder_id, planned_at, chain_id, cycle)
);
create table kept_setpoints (
  like setpoints including constraints,
  primary key (device_key, planned_at)
);
create view cycles_on_record with (security_invoker = true) as
  select * from control_cycles union all select * from kept_cycles;
create view setpoints_on_record with (security_invoker = true) as
  select * from setpoints union all select * from kept_setpoints;
create index dispatch_measurements_by_time on dispatch_measurements (measured_at);

-- Each partition that was closed: how many rows it had, and how many were made of them elsewhere (sums, kept rows) in the
-- transaction that wrote this row. A closed partition is never made again.
create table time_series_removals (
  partition_name text primary key,
  series         text not null,
  rows           bigint not null,
  carried_rows   bigint not null,
  carried_at     timestamptz not null default now(),
  run_id         uuid not null,
  -- null while somebody (a dump) still reads it.
  removed_at     timestamptz
);
create index time_series_removals_by_run on time_series_removals (run_id);

create index job_run_lines_by_time on job_run_events (at) where kind = 'log';
