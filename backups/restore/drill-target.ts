import { escapeIdentifier } from 'pg';
import { startScratchPostgres, sweepScratchPostgres } from '../../servers/scratch-postgres';
import type { BackupPrograms } from '../postgres/programs';
import type { PostgresAccess } from '../postgres/server';
import { withClient } from './admin-client';
import { createDrillDatabase, drillDatabaseName, dropDrillDatabase, sweepDrillDatabases } from './drill-database';
import { dropMarkedRoles } from './roles';
import { refuseProduction, requireRights, type LiveSystem } from './target-server';

/** A server and an empty database for one drill. */
export interface DrillTarget {
  readonly kind: 'scratch' | 'given server';
  /** For people: `scratch`, or host and port. */
  readonly description: string;
  /** The drill's database, as the role that restores. */
  readonly access: PostgresAccess;
  /** Begins the comment of roles that this drill makes. */
  readonly roleMark: string;
  /** Takes everything away; returns what stays, a sentence each. Never rejects. */
  clear(): Promise<string[]>;
}

export interface DrillTargetOptions {
  readonly runId: string;
  /** null: a cluster of its own. */
  readonly server: PostgresAccess | null;
  readonly live: LiveSystem;
  readonly programs: BackupPrograms;
  readonly scratchParent: string;
  readonly signal: AbortSignal;
}

/**
 * Makes the target, after what killed drills left is gone from it.
 *
 * @throws {RestoreFailure} RESTORE_TARGET_REFUSED, RESTORE_NOT_ALLOWED
 */
export const openDrillTarget = (options: DrillTargetOptions): Promise<DrillTarget> =>
  options.server === null ? openScratch(options) : openServer(options, options.server);

async function openScratch({ runId, programs, scratchParent, signal }: DrillTargetOptions): Promise<DrillTarget> {
  const scratch = await startScratchPostgres({ tools: programs.postgres, parent: scratchParent, signal });
  try {
    const { host, port, superuser: user, password } = scratch;
    const access = { host, port, user, password, database: drillDatabaseName(runId) };
    await withClient({ ...access, database: 'postgres' }, 'derms-restore-drill', (client) =>
      client.query(`create database ${escapeIdentifier(access.database)} template template0 encoding 'UTF8'`),
    );
    const clear = async (): Promise<string[]> => {
      await scratch.remove();
      return [];
    };
    return { kind: 'scratch', description: 'scratch', access, roleMark: 'derms restore drill', clear };
  } catch (error) {
    await scratch.remove();
    throw error;
  }
}

async function openServer(
  { runId, live, scratchParent }: DrillTargetOptions,
  server: PostgresAccess,
): Promise<DrillTarget> {
  await sweepScratchPostgres(scratchParent);
  const mark = { system: `${live.systemIdentifier}/${live.database}`, runId };
  const database = drillDatabaseName(runId);
  const roleMark = `derms restore drill: ${mark.system} `;
  await withClient(server, 'derms-restore-drill', async (client) => {
    await refuseProduction(client, live);
    await requireRights(client);
    await sweepDrillDatabases(client, mark);
    await dropMarkedRoles(client, roleMark);
    await createDrillDatabase(client, database, mark);
  });
  const clear = async (): Promise<string[]> => {
    try {
      return await withClient(server, 'derms-restore-drill', async (client) => {
        await dropDrillDatabase(client, database, mark);
        return (await dropMarkedRoles(client, roleMark)).map((name) => `role ${name} owns something and stays`);
      });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return [`database ${database} stays until the next drill: ${why}`];
    }
  };
  const description = `${server.host}:${String(server.port)}`;
  return { kind: 'given server', description, access: { ...server, database }, roleMark, clear };
}
