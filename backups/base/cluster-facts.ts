import type { Client } from 'pg';
import type { BaseManifest } from '../manifest-schema';
import { readServer } from '../postgres/server-facts';

/** What a base backup has to know of the cluster before it is taken; JSON-safe. */
export interface ClusterFacts {
  readonly server: BaseManifest['server'];
  readonly segmentBytes: number;
  readonly superuser: string;
  /** Of all its databases, about: what the backup will have, but for the log and the cluster's own files. */
  readonly bytes: number;
}

/** What keeps a base backup from being taken of it. */
export interface ClusterReadiness {
  /** `archive_mode`: without an archive a base backup leads to no other moment than its own. */
  readonly archives: boolean;
  /** The role has `REPLICATION`, or is a superuser. */
  readonly mayReplicate: boolean;
  /** Beside the two that every cluster has; one stream holds none of them. */
  readonly tablespaces: readonly string[];
  readonly major: number;
}

export async function readClusterFacts(client: Client): Promise<ClusterFacts> {
  const server = await readServer(client);
  const { rows } = await client.query<Omit<ClusterFacts, 'server'>>(
    `select (select setting::double precision from pg_settings where name = 'wal_segment_size') as "segmentBytes",
            (select rolname from pg_roles where oid = 10) as superuser,
            (select sum(pg_database_size(oid))::double precision from pg_database) as bytes`,
  );
  const [row] = rows;
  if (row === undefined) throw new Error('the server did not say how large it is');
  return { server, ...row };
}

export async function readReadiness(client: Client): Promise<ClusterReadiness> {
  const { rows } = await client.query<ClusterReadiness>(
    `select current_setting('archive_mode') <> 'off' as archives,
            (select rolreplication or rolsuper from pg_roles where rolname = current_user) as "mayReplicate",
            array(select spcname::text from pg_tablespace where spcname !~ '^pg_' order by 1) as tablespaces,
            current_setting('server_version_num')::integer / 10000 as major`,
  );
  const [row] = rows;
  if (row === undefined) throw new Error('the server did not say what it is');
  return row;
}
