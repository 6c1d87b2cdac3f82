import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase, type Database } from '../../../db/pool';
import { onNode } from '../../../drills/postgres/node';
import { startDatabaseFront, type DatabaseFront } from '../../../local/failover/database-front';
import { makePair, PAIR_SETTINGS, type PostgresPair } from '../../../local/failover/postgres-pair';
import { startPostgres } from '../../../local/postgres';
import { removeDataFolder } from '../../../servers/postgres-data';
import { testLog } from '../../support/servers';

/** A primary and a standby behind the front of production, and the canary's table; nothing else. */
export interface FrontedPair {
  readonly pair: PostgresPair;
  readonly front: DatabaseFront;
  readonly folder: string;
  /** As the application, through the pooler. */
  readonly db: Database;
  stop(): Promise<void>;
}

const APPLICATION = { user: 'derms_app', password: 'of-a-proof' };

export async function startFrontedPair({ synchronous }: { readonly synchronous: boolean }): Promise<FrontedPair> {
  const folder = mkdtempSync(join(tmpdir(), 'derms-proof-'));
  chmodSync(folder, 0o711); // as root, Postgres runs as another user, who must get to its data
  const [dataA, dataB] = [join(folder, 'a'), join(folder, 'b')];
  const first = await startPostgres({
    ...{ dataDir: dataA, password: 'of-a-proof', profile: 'durable', settings: PAIR_SETTINGS },
  });
  const pair = await makePair({ first, dataDir: dataB, synchronous, database: 'postgres' });
  await onNode(pair.a, async (client) => {
    await client.query(`create role ${APPLICATION.user} login password '${APPLICATION.password}'`);
    await client.query(
      `create table drill_canary (run_id uuid, seq integer, written_at timestamptz default now(), primary key (run_id, seq))`,
    );
    await client.query(`grant all on drill_canary to ${APPLICATION.user}`);
  });
  const front = await startDatabaseFront({ pair, folder, application: APPLICATION });
  const { host, port } = front.pgbouncer;
  const db = openDatabase(
    {
      ...{ host, port, database: 'postgres', ...APPLICATION, poolSize: 2 },
      ...{ connectTimeoutMs: 2_000, queryTimeoutMs: 2_000, applicationName: 'proof' },
    },
    testLog,
  );
  return {
    ...{ pair, front, folder, db },
    async stop() {
      await db.close();
      await front.stop();
      await pair.stop();
      await first.stop();
      removeDataFolder(dataA);
      removeDataFolder(dataB);
      rmSync(folder, { recursive: true });
    },
  };
}
