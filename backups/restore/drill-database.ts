import { escapeIdentifier, escapeLiteral, type Client } from 'pg';
import { RestoreFailure } from './failure';

/** Whose database it is: stands as its comment, so that nobody drops one that no drill has made. */
export interface DrillMark {
  /** System that drills: the system identifier and name of its live database. */
  readonly system: string;
  readonly runId: string;
}

const PREFIX = 'derms restore drill: ';

const markOf = ({ system, runId }: DrillMark): string => `${PREFIX}${system} ${runId}`;

/** Names are those of the run, so that two drills on one server never meet. */
export const drillDatabaseName = (runId: string): string => `derms_drill_${runId.replaceAll('-', '')}`;

/**
 * Makes an empty database and marks it as the drill's.
 *
 * @throws {RestoreFailure} RESTORE_TARGET_REFUSED when there is one of that name that this run has not made.
 */
export async function createDrillDatabase(server: Client, name: string, mark: DrillMark): Promise<void> {
  const found = await commentOf(server, name);
  if (found !== undefined) {
    if (found !== markOf(mark)) throw refused(name);
    await dropDrillDatabase(server, name, mark); // of an attempt before this one
  }
  await server.query(`create database ${escapeIdentifier(name)} template template0 encoding 'UTF8'`);
  await server.query(`comment on database ${escapeIdentifier(name)} is ${escapeLiteral(markOf(mark))}`);
}

/**
 * Harmless when it is gone.
 *
 * @throws {RestoreFailure} RESTORE_TARGET_REFUSED when it does not carry the mark.
 */
export async function dropDrillDatabase(server: Client, name: string, mark: DrillMark): Promise<void> {
  const found = await commentOf(server, name);
  if (found === undefined) return;
  if (found !== markOf(mark)) throw refused(name);
  await server.query(`drop database if exists ${escapeIdentifier(name)} with (force)`);
}

/** Drops what drills of this system left that were killed; only one runs at a time. Returns their names. */
export async function sweepDrillDatabases(server: Client, { system, runId }: DrillMark): Promise<string[]> {
  const { rows } = await server.query<{ datname: string }>(
    `select datname from pg_database
      where starts_with(shobj_description(oid, 'pg_database'), $1) and datname <> $2 and datname like 'derms\\_drill\\_%'`,
    [`${PREFIX}${system} `, drillDatabaseName(runId)],
  );
  for (const { datname } of rows)
    await server.query(`drop database if exists ${escapeIdentifier(datname)} with (force)`);
  return rows.map(({ datname }) => datname);
}

/** undefined when there is no such database; '' when it has no comment. */
async function commentOf(server: Client, name: string): Promise<string | undefined> {
  const { rows } = await server.query<{ comment: string }>(
    `select coalesce(shobj_description(oid, 'pg_database'), '') as comment from pg_database where datname = $1`,
    [name],
  );
  return rows[0]?.comment;
}

const refused = (name: string): RestoreFailure =>
  new RestoreFailure('RESTORE_TARGET_REFUSED', `database ${name} is there and no drill of ours has made it`);
