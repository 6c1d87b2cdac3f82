-- Who is let in: failed log-ins that slow down the next ones, what was revoked, and the tokens of machines. Every replica
-- of the API goes by the same rows.

-- Attempts in a row that did not succeed. The subject is a hash, because what is typed as a name may be a password.
create table login_streaks (
  subject       bytea primary key,
  failures      integer not null,
  last_at       timestamptz not null default now(),
  -- The next attempt is not looked at before.
  blocked_until timestamptz not null default now()
);
create index login_streaks_by_age on login_streaks (last_at);

-- Access tokens issued before a moment count no more: those of one user, or everybody's.
create table token_revocations (
  id            bigint generated always as identity primary key,
  revoked_at    timestamptz not null default now(),
  revoked_by    text not null,
  reason        text not null,
  username      text,
  issued_before timestamptz not null
);
create index token_revocations_by_moment on token_revocations (issued_before desc);

-- Of the tokens themselves only hashes. One counts in the environment it was issued in and in no other.
create table machine_tokens (
  token_id          uuid primary key,
  token_hash        bytea not null unique,
  name              text not null,
  issuer            text not null,
  scopes            text[] not null check (cardinality(scopes) > 0),
  purpose           text not null,
  issued_at         timestamptz not null default now(),
  issued_by         text not null,
  expires_at        timestamptz not null,
  last_used_at      timestamptz,
  last_used_address text,
  revoked_at        timestamptz,
  revoked_by        text,
  revoke_reason     text,
  check (num_nulls(revoked_at, revoked_by, revoke_reason) in (0, 3))
);
create index machine_tokens_in_force on machine_tokens (expires_at) where revoked_at is null;
