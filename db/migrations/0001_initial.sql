-- The one source of truth. Power kW, positive from the grid into the device; energy kWh; soc 0..1; times UTC.
-- Time series (telemetry, meter_readings, control_cycles, control_cycle_inputs, setpoints) are partitioned by day:
-- partitions are made ahead and removed by db/partitions.ts, never by a default partition.

create domain der_id as text check (value ~ '^[A-Za-z0-9._:-]{1,128}$');
create domain kw as double precision check (value > '-Infinity' and value < 'Infinity'); -- rejects NaN too: NaN sorts above Infinity
create domain limit_kw as double precision check (value >= 0 and value < 'Infinity');

-- Registry ------------------------------------------------------------------------------------------------------

create table feeders (
  feeder_id        der_id primary key,
  parent_id        der_id references feeders,
  root_id          der_id not null references feeders deferrable initially deferred,
  name             text,
  import_limit_kw  limit_kw not null,
  export_limit_kw  limit_kw not null,
  base_load_kw     kw not null default 0,
  -- Mode, interval and enabled are read at the root only: one loop controls a whole tree.
  mode             text not null default 'automatic' check (mode in ('automatic', 'manual', 'disabled')),
  interval_seconds integer not null default 10 check (interval_seconds between 2 and 600),
  enabled          boolean not null default true,
  origin           text not null check (origin in ('registry', 'wire')),
  revision         integer not null default 1,
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  check ((parent_id is null) = (root_id = feeder_id)),
  check (parent_id <> feeder_id)
);
create index feeders_by_root on feeders (root_id);
create index feeders_by_parent on feeders (parent_id);

create table devices (
  device_key         integer generated always as identity unique,
  device_id          der_id primary key,
  device_type        text not null check (device_type in ('pv', 'battery', 'ev')),
  feeder_id          der_id not null references feeders,
  name               text,
  -- null = as the contract counts: a PV generation positive, the others load positive.
  sign               text check (sign in ('load', 'generator')),
  max_import_kw      limit_kw,
  max_export_kw      limit_kw,
  min_import_kw      limit_kw not null default 0,
  default_power_kw   kw,
  honours_expiry     boolean not null default true,
  weight             limit_kw not null default 1,
  reserve_soc        double precision not null default 0.1 check (reserve_soc between 0 and 1),
  target_soc         double precision not null default 1 check (target_soc between 0 and 1),
  scheduled_power_kw kw not null default 0,
  ramp_kw_per_s      double precision check (ramp_kw_per_s > 0 and ramp_kw_per_s < 'Infinity'),
  -- 'registry': an operator has set it and the wire may no longer change it.
  feeder_origin      text not null check (feeder_origin in ('registry', 'wire')),
  rating_origin      text not null check (rating_origin in ('registry', 'wire')),
  enabled            boolean not null default true,
  revision           integer not null default 1,
  created_at         timestamptz not null default now(),
  updated_at         timestamptz not null default now()
);
create index devices_by_feeder on devices (feeder_id);

-- Latest state: one row each, so that the loop never scans history. Written by the ingest -------------------------

create table device_state (
  device_key        integer primary key references devices (device_key) on delete cascade,
  sampled_at        timestamptz not null,
  received_at       timestamptz not null,
  message_id        uuid not null,
  power_kw          kw not null,
  energy_kwh        double precision,
  soc               double precision,
  voltage_v         double precision,
  current_a         double precision,
  online            boolean not null,
  fault_code        text,
  -- Least receive delay (received - sampled, ms) of this half hour and of the one before: the device's clock offset.
  clock_half_hour   integer not null,
  clock_least_ms    bigint not null,
  clock_previous_ms bigint
) with (fillfactor = 50);

create table meter_state (
  feeder_id         der_id primary key references feeders on delete cascade,
  sampled_at        timestamptz not null,
  received_at       timestamptz not null,
  message_id        uuid not null,
  flow_kw           kw not null,
  clock_half_hour   integer not null,
  clock_least_ms    bigint not null,
  clock_previous_ms bigint
) with (fillfactor = 50);

-- Written by the control loop -------------------------------------------------------------------------------------

create table device_control (
  device_key               integer primary key references devices (device_key) on delete cascade,
  acknowledged_kw          kw,
  acknowledged_valid_until timestamptz,
  acknowledged_at          timestamptz,
  acknowledged_plan_id     uuid,
  -- broker_session.epoch in which it was acknowledged: what an older broker session acknowledged is sent again.
  acknowledged_epoch       integer,
  -- What was sent, or may have been, after that: the newest target, and the span of all that is not acknowledged.
  pending_kw               kw,
  pending_low_kw           kw,
  pending_high_kw          kw,
  pending_valid_until      timestamptz,
  pending_plan_id          uuid,
  -- When a plan last gave it another target, and the span of the targets before that since it was last at rest.
  moved_at                 timestamptz,
  moved_from_low_kw        kw,
  moved_from_high_kw       kw,
  -- What it measured at those moves.
  ran_low_kw               kw,
  ran_high_kw              kw,
  off_setpoint_cycles      integer not null default 0,
  not_following_until      timestamptz
) with (fillfactor = 50);

-- One row: counts the broker sessions that any publisher of ours began. A broker that was away may have lost what it
-- acknowledged, so setpoints of an older epoch count as not acknowledged.
create table broker_session (
  only_row   boolean primary key default true check (only_row),
  epoch      integer not null,
  started_at timestamptz not null
);
insert into broker_session (epoch, started_at) values (1, now());

-- Highest and lowest uncontrolled flow derived from a node's meter, by half hours: what a stale meter counts at. The latest: what is
-- believed while devices are under way.
create table feeder_uncontrolled (
  feeder_id        der_id primary key references feeders on delete cascade,
  latest_high_kw   kw not null,
  latest_low_kw    kw not null,
  half_hour        integer not null,
  high_kw          kw not null,
  low_kw           kw not null,
  previous_high_kw kw,
  previous_low_kw  kw
) with (fillfactor = 50);

-- One row per root: which chain controls it, and its last cycle as people and probes read it.
create table control_loops (
  root_feeder_id   der_id primary key references feeders on delete cascade,
  chain_id         uuid not null,
  chain_started_at timestamptz not null,
  cycle            bigint not null,
  plan_id          uuid,
  tick_at          timestamptz,
  planned_at       timestamptz,
  -- Time of the last cycle that went all the way: planned, and published where there was something to publish.
  finished_at      timestamptz,
  finished_cycle   bigint,
  interval_seconds integer,
  missed_ticks     bigint not null default 0,
  -- What planCycle answered, returned again when the same cycle is asked for twice.
  answer           jsonb,
  -- Node results of the last plan.
  nodes            jsonb
) with (fillfactor = 50);

-- Manual mode: the plan that waits for approval, or was approved and waits to be published.
create table proposals (
  root_feeder_id der_id primary key references feeders on delete cascade,
  plan_id        uuid not null,
  proposed_at    timestamptz not null,
  targets        jsonb not null,
  approved_by    text,
  approved_at    timestamptz,
  applied_at     timestamptz
);

create table control_cycles (
  root_feeder_id   der_id not null,
  chain_id         uuid not null,
  cycle            bigint not null,
  planned_at       timestamptz not null,
  plan_id          uuid not null,
  tick_at          timestamptz not null,
  missed_ticks     integer not null,
  mode             text not null,
  interval_seconds integer not null,
  changes          integer not null,
  renewals         integer not null,
  infeasible       boolean not null,
  summary          text not null,
  nodes            jsonb not null,
  primary key (root_feeder_id, planned_at, chain_id, cycle)
) partition by range (planned_at);

-- Everything the plan looked at: one compressed column-wise value, so that it can be planned again to the bit.
create table control_cycle_inputs (
  root_feeder_id der_id not null,
  chain_id       uuid not null,
  cycle          bigint not null,
  planned_at     timestamptz not null,
  solver_version text not null,
  digest         bytea not null,
  inputs         bytea not null,
  primary key (root_feeder_id, planned_at, chain_id, cycle)
) partition by range (planned_at);
alter table control_cycle_inputs alter column inputs set storage external;

-- Setpoints that changed; renewals only touch device_control.
create table setpoints (
  device_key      integer not null,
  planned_at      timestamptz not null,
  plan_id         uuid not null,
  root_feeder_id  der_id not null,
  target_kw       kw not null,
  previous_kw     kw,
  valid_until     timestamptz not null,
  level           double precision not null,
  tier            smallint not null,
  bound_by        text,
  note            text not null,
  acknowledged_at timestamptz,
  primary key (device_key, planned_at)
) partition by range (planned_at);

-- Telemetry ---------------------------------------------------------------------------------------------------------

create table telemetry (
  device_key  integer not null,
  sampled_at  timestamptz not null,
  received_at timestamptz not null,
  message_id  uuid not null,
  power_kw    kw not null,
  energy_kwh  double precision,
  soc         double precision,
  voltage_v   double precision,
  current_a   double precision,
  online      boolean not null,
  fault_code  text,
  primary key (device_key, sampled_at),
  -- Time first: ids are random, and an index led by them is written all over, far beyond what memory holds.
  unique (sampled_at, message_id)
) partition by range (sampled_at);

create table meter_readings (
  feeder_id   der_id not null,
  sampled_at  timestamptz not null,
  received_at timestamptz not null,
  message_id  uuid not null,
  flow_kw     kw not null,
  primary key (feeder_id, sampled_at),
  unique (sampled_at, message_id)
) partition by range (sampled_at);

-- A sample of what was refused; the counters are in the metrics.
create table refused_telemetry (
  id          bigint generated always as identity primary key,
  received_at timestamptz not null default now(),
  reason      text not null,
  detail      text not null,
  topic       text not null,
  payload     text not null
);
create index refused_telemetry_by_time on refused_telemetry (received_at desc);

-- Dispatch ----------------------------------------------------------------------------------------------------------

create table dispatches (
  dispatch_id             uuid primary key,
  feeder_id               der_id not null references feeders,
  starts_at               timestamptz not null,
  ends_at                 timestamptz not null,
  -- starts_at plus the random delay drawn at acceptance.
  begins_at               timestamptz not null,
  expires_at              timestamptz,
  import_limit_kw         limit_kw,
  export_limit_kw         limit_kw,
  target_kw               kw,
  primacy                 integer not null,
  reason                  text not null,
  randomize_start_seconds integer not null default 0,
  state                   text not null check (state in ('requested', 'awaiting-approval', 'scheduled', 'active', 'completed',
                                                         'refused', 'cancelled', 'superseded', 'expired')),
  requested_by            text not null,
  request_digest          text not null,
  -- What the requester was answered: given again when the same request comes again.
  answer                  jsonb not null default '{}',
  accepted_at             timestamptz not null default now(),
  baseline_kw             kw,
  report                  jsonb,
  superseded_by           uuid references dispatches,
  revision                integer not null default 1,
  check (ends_at > starts_at),
  check (import_limit_kw is not null or export_limit_kw is not null or target_kw is not null)
);
create index dispatches_open on dispatches (feeder_id) where state in ('scheduled', 'active');
create index dispatches_by_acceptance on dispatches (accepted_at desc, dispatch_id desc);

create table dispatch_history (
  dispatch_id uuid not null references dispatches,
  revision    integer not null,
  at          timestamptz not null default now(),
  state       text not null,
  actor       text not null,
  reason      text not null,
  primary key (dispatch_id, revision)
);

-- Asked and measured power per cycle while active; never pruned.
create table dispatch_measurements (
  dispatch_id uuid not null references dispatches,
  measured_at timestamptz not null,
  cycle       bigint not null,
  high_kw     kw,
  low_kw      kw,
  measured_kw kw,
  primary key (dispatch_id, measured_at)
);

-- Who did what, refused attempts too --------------------------------------------------------------------------------

create table audit_log (
  id         bigint generated always as identity primary key,
  at         timestamptz not null default now(),
  actor      text not null,
  role       text,
  action     text not null,
  subject    text not null,
  outcome    text not null,
  request_id text,
  address    text,
  detail     jsonb not null default '{}'
);
create index audit_log_by_time on audit_log (at desc, id desc);
