-- Backups: what lies in storage, what was seen when it was looked at, and why it was let go.
-- Storage is the truth: a restore asks the manifests that lie there. These rows are what retention and the API know; a backup
-- whose row was lost with the database gets it again from its manifest when a drill restores it, and not before.

create table backups (
  backup_id     uuid primary key,
  kind          text not null check (kind in ('dump', 'base', 'mqtt')),
  storage_key   text not null unique,
  run_id        uuid not null,
  -- What it holds is as of then.
  taken_at      timestamptz not null,
  stored_at     timestamptz not null default now(),
  stored_bytes  bigint not null,
  manifest      jsonb not null,
  -- When it was last seen to be whole, and when it was last restored from.
  verified_at   timestamptz,
  restored_at   timestamptz,
  -- The last look at it.
  checked_at    timestamptz,
  last_verdict  text check (last_verdict in ('passed', 'failed')),
  deleted_at    timestamptz,
  -- {backupId, checkId} of the newer backup that lets it go; there before anything of it is removed.
  deleted_proof jsonb,
  state         text not null generated always as (
    case
      when deleted_at is not null then 'deleted'
      when last_verdict = 'failed' then 'damaged'
      when restored_at is not null then 'restored'
      when verified_at is not null then 'verified'
      else 'stored'
    end) stored,
  check (deleted_at is null or deleted_proof is not null)
);
create index backups_by_time on backups (taken_at desc, backup_id desc);
create index backups_by_kind on backups (kind, taken_at desc);
create index backups_to_check on backups (checked_at nulls first) where deleted_proof is null;

create table backup_checks (
  check_id  bigint generated always as identity primary key,
  backup_id uuid not null references backups,
  at        timestamptz not null default now(),
  -- What was done: 'verification' (fetched back and decoded), 'restore-drill', and whatever proves more.
  kind      text not null,
  run_id    uuid not null,
  verdict   text not null check (verdict in ('passed', 'failed')),
  details   jsonb not null
);
create index backup_checks_by_backup on backup_checks (backup_id, check_id desc);
create index backup_checks_failed on backup_checks (kind) where verdict = 'failed';
