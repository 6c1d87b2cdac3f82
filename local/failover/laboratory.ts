import { join } from 'node:path';
import type { Database } from '../../db/pool';
import { removeDataFolder } from '../../servers/postgres-data';
import type { Environment } from '../environments';
import { startTestSystem, type ProgramFront, type TestSystem } from '../test-system';
import type { TestStack } from '../test-stack';
import { openApplicationDatabase } from './application-database';
import { startDatabaseFront, type DatabaseFront } from './database-front';
import { makePair, PAIR_SETTINGS, type PostgresPair } from './postgres-pair';

/** The whole system on a primary and a standby of its own, behind the front of production. */
export interface PostgresLaboratory {
  readonly system: TestSystem;
  readonly pair: PostgresPair;
  readonly front: DatabaseFront;
  /** As the application reaches it: its role, through the pooler. */
  openApplicationDatabase(limits?: { readonly timeoutMs?: number; readonly poolSize?: number }): Database;
  stop(): Promise<void>;
}

export interface LaboratoryOptions {
  /** Commits wait for the standby. Default true. */
  readonly synchronous?: boolean;
  readonly env?: Environment;
  /** More that our programs find, and are told of. */
  readonly besides?: (stack: TestStack, road: { pair: PostgresPair; front: DatabaseFront }) => Promise<ProgramFront>;
}

/** Servers and schema; none of our programs run yet. */
export async function startPostgresLaboratory(options: LaboratoryOptions = {}): Promise<PostgresLaboratory> {
  const { synchronous = true, env = {}, besides } = options;
  let pair: PostgresPair | undefined;
  let front: DatabaseFront | undefined;
  let more: ProgramFront | undefined;
  let dataDir = '';
  const stopFront = async (): Promise<void> => {
    await more?.stop();
    await front?.stop();
    await pair?.stop();
    if (dataDir !== '') removeDataFolder(dataDir);
  };
  const system = await startTestSystem({
    profile: 'durable',
    postgresSettings: PAIR_SETTINGS,
    env,
    front: async (stack, application) => {
      const { folder, onSpawn } = stack;
      try {
        dataDir = join(folder, 'postgres-b');
        pair = await makePair({ first: stack.postgres, dataDir, synchronous, database: 'derms', onSpawn });
        front = await startDatabaseFront({ pair, folder, application, onSpawn });
        more = await besides?.(stack, { pair, front });
        return { env: { ...front.env, ...more?.env }, stop: stopFront };
      } catch (error) {
        await stopFront();
        throw error;
      }
    },
  });
  if (pair === undefined || front === undefined) throw new Error('the front was not made'); // it was, above
  return {
    ...{ system, pair, front },
    openApplicationDatabase: (limits) => openApplicationDatabase(system, limits),
    stop: () => system.stop(),
  };
}
