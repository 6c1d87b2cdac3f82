/** Processes of one kind, and what each may open to the pooler. */
export interface ConnectionUser {
  readonly name: string;
  readonly replicas: number;
  /** Pool size of one, and what it opens beside its pool. */
  readonly poolSize: number;
  readonly besides: number;
}

export interface PoolerLimits {
  /** `max_client_conn`. */
  readonly clients: number;
  /** `max_db_connections`. */
  readonly servers: number;
  /** PostgreSQL's own `max_connections`, less what is kept for superusers. */
  readonly postgres: number;
  /** Sessions that go past the pooler: migrations, dumps, upkeep, the primary check, people. */
  readonly direct: number;
}

/** Why replicas and pools do not fit the pooler, or the pooler not the server; none: they fit. */
export function connectionFaults(users: readonly ConnectionUser[], limits: PoolerLimits): readonly string[] {
  const wanted = users.reduce((sum, { replicas, poolSize, besides }) => sum + replicas * (poolSize + besides), 0);
  const onServer = limits.servers + limits.direct;
  return [
    ...(wanted > limits.clients
      ? [`all processes together may open ${String(wanted)} connections, the pooler takes ${String(limits.clients)}`]
      : []),
    ...(onServer > limits.postgres
      ? [
          `the pooler and direct sessions may open ${String(onServer)} connections, PostgreSQL takes ${String(limits.postgres)}`,
        ]
      : []),
  ];
}
