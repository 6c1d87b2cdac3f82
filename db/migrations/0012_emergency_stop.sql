-- Emergency stops. While one is not lifted, every plan of every tree sends the devices to its safe state, and nothing else
-- is published. Rows stay: who, when, why, and how it came here.

create table emergency_stops (
  -- Made by whoever engaged it, so that the broker's copy and this row are known to be one.
  stop_id       uuid primary key,
  safe_state    text not null check (safe_state in ('default', 'zero')),
  reason        text not null,
  engaged_at    timestamptz not null,
  engaged_by    text not null,
  -- broker: it was engaged straight at the broker while the database was away, or in a database lost since.
  learned_from  text not null check (learned_from in ('api', 'broker')),
  lifted_at     timestamptz,
  lifted_by     text,
  lift_reason   text,
  check (num_nulls(lifted_at, lifted_by, lift_reason) in (0, 3))
);
-- One at a time; what every plan looks at holds one row at most.
create unique index emergency_stop_in_force on emergency_stops ((true)) where lifted_at is null;
create index emergency_stops_by_time on emergency_stops (engaged_at desc);

-- The stop that the newest plan carries out; null when there was none.
alter table control_loops add column emergency_stop_id uuid;
