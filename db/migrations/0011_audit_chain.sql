-- The audit log becomes a chain. Rows are sealed after their commit, in an order of their own: ids have gaps where a
-- transaction was rolled back, and a smaller one may be committed later. docs/audit.md tells the whole of it.

-- The transaction that wrote the row: once all transactions before some number are over, no row of theirs can come.
alter table audit_log add column written_in xid8 not null default pg_current_xact_id();
create index audit_log_by_transaction on audit_log (written_in);

-- One link per sealed row: hash = SHA-256 over the hash before, the position and every column of the row.
create table audit_chain (
  position  bigint primary key check (position > 0),
  entry_id  bigint not null unique,
  sealed_at timestamptz not null default now(),
  hash      bytea not null check (octet_length(hash) = 32)
);

-- What the chain ended with at some moment, signed with a key that the database does not know.
create table audit_heads (
  signed_at timestamptz primary key,
  position  bigint not null,
  hash      bytea not null check (octet_length(hash) = 32),
  key_id    text not null,
  signature text not null
);
create index audit_heads_by_position on audit_heads (position);

-- One row, the sealer's: where it looks for rows that it has not sealed. Numbers of transactions mean nothing in another
-- cluster or database, so those that they are of are named with them; null: look at everything once.
create table audit_sealing (
  only_row       boolean primary key default true check (only_row),
  numbered_in    text,
  settled_before xid8
);
insert into audit_sealing default values;

-- For its owner too: whoever wants to change what was written has to take this away first, which is seen.
create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is only ever added to', tg_table_name using errcode = 'insufficient_privilege';
end $$;
create trigger only_added_to before update or delete or truncate on audit_log for each statement execute function refuse_change();
create trigger only_added_to before update or delete or truncate on audit_chain for each statement execute function refuse_change();
create trigger only_added_to before update or delete or truncate on audit_heads for each statement execute function refuse_change();
