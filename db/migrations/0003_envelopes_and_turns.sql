-- Operating envelopes: limits that somebody outside, such as the network operator, publishes for a stretch of time. Rows are
-- never edited: what a newer publication replaces is withdrawn, so that it stays known what held when.
create table operating_envelopes (
  envelope_id     bigint generated always as identity primary key,
  feeder_id       der_id not null references feeders on delete cascade,
  source          text not null check (source ~ '^[A-Za-z0-9._:-]{1,64}$'),
  starts_at       timestamptz not null,
  ends_at         timestamptz not null,
  import_limit_kw limit_kw,
  export_limit_kw limit_kw,
  received_at     timestamptz not null default now(),
  received_by     text not null,
  withdrawn_at    timestamptz,
  withdrawn_by    text,
  check (ends_at > starts_at),
  check (import_limit_kw is not null or export_limit_kw is not null),
  check ((withdrawn_at is null) = (withdrawn_by is null))
);
create index operating_envelopes_open on operating_envelopes (feeder_id, ends_at) where withdrawn_at is null;
create index operating_envelopes_by_start on operating_envelopes (feeder_id, starts_at, envelope_id);

-- EVs that take turns because not all of their minimums fit: since when one waits, and when its last wait ended.
alter table device_control add column waits_since timestamptz, add column waited_until timestamptz;

-- A cycle is looked up by its number.
create index control_cycles_by_number on control_cycles (root_feeder_id, cycle);
