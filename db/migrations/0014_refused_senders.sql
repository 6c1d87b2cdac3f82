-- Who sends what is refused, by hour and reason: which device floods, which one writes under another's name. Bounded per
-- hour; who found no place is counted under '(others)'. Kept for as long as the samples in refused_telemetry.

create table refused_senders (
  hour        timestamptz not null,
  -- The topic without its prefix: telemetry/ev/ev-1.
  sender      text not null,
  reason      text not null,
  messages    bigint not null,
  -- The most of any two seconds or so.
  peak_per_second real not null,
  last_at     timestamptz not null default now(),
  primary key (hour, sender, reason)
);
