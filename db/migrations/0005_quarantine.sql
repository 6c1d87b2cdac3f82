-- A database that was restored stands quarantined: nothing is planned or published from it and the API takes no orders,
-- until it was compared with Temporal and the broker and an administrator has lifted that. Rows stay: who, when, why.

create table quarantine (
  id            bigint generated always as identity primary key,
  since         timestamptz not null default now(),
  imposed_by    text not null,
  reason        text not null,
  -- The backup that the data comes from, and the moment it shows.
  restored_from text,
  data_as_of    timestamptz,
  lifted_at     timestamptz,
  lifted_by     text,
  lift_reason   text,
  -- Lifted although nobody had compared.
  lift_forced   boolean,
  check (num_nulls(lifted_at, lifted_by, lift_reason, lift_forced) in (0, 4))
);
-- One at a time; what every plan looks at holds one row at most.
create unique index quarantine_in_force on quarantine ((true)) where lifted_at is null;

-- What a comparison with Temporal and the broker has found, and done.
create table reconciliations (
  id      bigint generated always as identity primary key,
  at      timestamptz not null default now(),
  actor   text not null,
  -- false: only looked.
  applied boolean not null,
  -- Findings that it could have settled and has not.
  open    integer not null,
  report  jsonb not null
);
create index reconciliations_by_time on reconciliations (at desc);
