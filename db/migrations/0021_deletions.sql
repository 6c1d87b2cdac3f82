-- What was taken away for good, so that a restore of an older backup does not bring it back: devices and feeders that left the
-- registry, tokens of machines that were revoked. By triggers, so that what a person removes with SQL is in it too. The `jobs`
-- role copies it to the storage of the backups, since it is needed when this database is lost.
create table deletions (
  deletion_id bigint generated always as identity primary key,
  kind        text not null check (kind in ('device', 'feeder', 'machine-token')),
  subject     text not null,
  deleted_at  timestamptz not null default clock_timestamp(),
  -- When the storage of the backups had it; null: not yet.
  stored_at   timestamptz
);
create index deletions_not_stored on deletions (deletion_id) where stored_at is null;

-- Its arguments: the kind, and the column that says which.
create function note_deletion() returns trigger language plpgsql as $$
begin
  insert into deletions (kind, subject) values (tg_argv[0], to_jsonb(old) ->> tg_argv[1]);
  return null;
end $$;

-- widens: it notes, and refuses nothing
create trigger note_deletion after delete on devices
  for each row execute function note_deletion('device', 'device_id');
-- widens: it notes, and refuses nothing
create trigger note_deletion after delete on feeders
  for each row execute function note_deletion('feeder', 'feeder_id');
-- widens: it notes, and refuses nothing
create trigger note_deletion after update of revoked_at on machine_tokens
  for each row when (old.revoked_at is null and new.revoked_at is not null)
  execute function note_deletion('machine-token', 'token_id');
