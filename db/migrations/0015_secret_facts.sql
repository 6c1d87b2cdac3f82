-- How old the secrets of this system are, and when its certificates run out, as each of its processes tells. Never a secret,
-- nor anything made of one. What a process has not told again for two days is no longer believed.
create table secret_facts (
  -- `api-0`, `jobs-0`: role and INSTANCE_ID.
  told_by    text not null,
  kind       text not null check (kind in ('secret', 'certificate')),
  -- The setting (`DB_PASSWORD`), or what the certificate is for (`mqtt-client`).
  name       text not null,
  -- Of a secret; null: nobody has written it down.
  made_on    date,
  -- Of a certificate; null: the file cannot be used.
  expires_at timestamptz,
  -- Why the date is not known, where there is a reason.
  fault      text,
  told_at    timestamptz not null default now(),
  primary key (told_by, kind, name)
);
