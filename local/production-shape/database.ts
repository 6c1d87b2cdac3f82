import { join } from 'node:path';
import type { PostgresLogin } from '../../config/postgres-url';
import { onNode, until } from '../../drills/postgres/node';
import { LOOPBACK } from '../../servers/free-port';
import { startDatabaseFront, type DatabaseFront } from '../failover/database-front';
import { makePair, PAIR_SETTINGS, type PostgresPair } from '../failover/postgres-pair';
import { startPostgres } from '../postgres';
import type { Ground } from './ground';
import { partOf, type Parts } from './parts';

const OPEN_WITHIN_MS = 60_000;

export interface DatabaseParts {
  readonly pair: PostgresPair;
  readonly front: DatabaseFront;
}

/** Our PostgreSQL as compose starts it, with a standby, behind primary check, HAProxy and PgBouncer, all with TLS. */
export async function startDatabase(ground: Ground, parts: Parts): Promise<DatabaseParts> {
  const { onSpawn } = parts;
  const { POSTGRES_USER: user = '', POSTGRES_PASSWORD: password = '' } = ground.environment('postgres');
  const settings = settingsOf(ground.command('postgres'));
  const first = await startPostgres({
    ...{ dataDir: join(ground.folder, 'volumes', 'postgres'), user, password, onSpawn },
    settings: { ...PAIR_SETTINGS, ...settings },
  });
  const from = 'compose postgres';
  parts.add(partOf('postgres a (primary)', from, `${LOOPBACK}:${String(first.port)}`, first));
  const pair = await makePair({
    ...{ first, dataDir: join(ground.folder, 'volumes', 'postgres-b'), synchronous: true, database: 'derms', settings },
    onSpawn,
  });
  const { server } = pair.standby();
  parts.add(partOf('postgres b (standby)', from, `${LOOPBACK}:${String(server.port)}`, server));

  const keys = (name: string): string => ground.path('postgres', `/keys/${name}`);
  const { DB_USER: applicationUser = '', DB_PASSWORD: applicationPassword = '' } = ground.secretsOf('api');
  const front = await startDatabaseFront({
    ...{ pair, folder: ground.folder, onSpawn },
    application: { user: applicationUser, password: applicationPassword },
    tls: {
      certPath: keys('tls.crt'),
      keyPath: keys('tls.key'),
      caPath: ground.path('api', '/keys/ca.crt'),
    },
  });
  const { haproxy, pgbouncer, check } = front;
  parts.add(partOf('primary check', 'dist/db/primary-check-main.js', LOOPBACK, check));
  parts.add(partOf('haproxy (postgres)', 'deploy/haproxy/haproxy.cfg', hostPort(haproxy), haproxy.process));
  parts.add(partOf('pgbouncer', 'deploy/pgbouncer/pgbouncer.ini', hostPort(pgbouncer), pgbouncer.process));
  ground.placeAt('postgres:5432', pgbouncer.port);
  await untilTheWayIsOpen({ ...pair.primary().login, host: haproxy.host, port: haproxy.port, database: 'postgres' });
  return { pair, front };
}

/** HAProxy sends nobody on before its own look at the primary check. */
async function untilTheWayIsOpen(login: PostgresLogin): Promise<void> {
  const isOpen = (): Promise<boolean> =>
    onNode(login, (client) => client.query('select 1')).then(
      () => true,
      () => false,
    );
  await until(isOpen, OPEN_WITHIN_MS, 'HAProxy leads to no primary');
}

const hostPort = ({ host, port }: { readonly host: string; readonly port: number }): string =>
  `${host}:${String(port)}`;

/** `-c name=value` of a command line. */
const settingsOf = (command: readonly string[]): Record<string, string> =>
  Object.fromEntries(
    command
      .filter((word) => word !== '-c')
      .map((word) => {
        const [name = '', ...value] = word.split('=');
        return [name, value.join('=')];
      }),
  );
