-- What became of a root's nominal ticks, counted where the cycle is stored, so that every reader and every restart sees the same
-- numbers: the service level of the control loop is measured by them. Missed ones are counted in missed_ticks.

alter table control_loops
  -- Planned, and published where there was something to publish, within one interval of the tick.
  add column on_time_ticks  bigint not null default 0,
  -- Later than that, or planned and never published.
  add column late_ticks     bigint not null default 0,
  -- The newest tick that is counted in one of the two: a cycle that was woken before the next tick counts nothing.
  add column judged_tick_at timestamptz;
