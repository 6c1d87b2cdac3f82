import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { Client } from 'pg';
import { programText } from '../../../backups/run-program';
import { postgresProgram } from '../../../backups/postgres/server';
import { Secrets } from '../../../config/secrets';
import { openDatabase, type Database, type DatabaseOptions } from '../../../db/pool';
import { startPostgres } from '../../../local/postgres';
import { readToolchain } from '../../../local/toolchain';
import { unprivilegedUser } from '../../../servers/os-user';
import type { PostgresServer } from '../../../servers/postgres';
import { removeDataFolder } from '../../../servers/postgres-data';
import { openClientTls, type ClientTlsOptions } from '../../../tls/client-tls';
import { makeCertificateAuthority, writeAuthority, writePair, type Issued } from '../../support/certificate-authority';
import { testLog } from '../../support/servers';

const folder = mkdtempSync(join(tmpdir(), 'derms-test-pg-tls-'));
const data = mkdtempSync(join(tmpdir(), 'derms-test-postgres-'));
chmodSync(data, 0o711); // as root, Postgres runs as another user, who must get to its files
const authority = makeCertificateAuthority();
const caPath = writeAuthority(folder, 'ca', authority);
const server = authority.issue({ names: ['localhost'], addresses: ['127.0.0.1'] });
const PASSWORD = 'of-the-administrator';
let postgres: PostgresServer;
let databases: Database[] = [];

beforeAll(async () => {
  // The files may be read by the user that the server runs as, and by nobody else.
  const { certPath, keyPath } = pairForPostgres('server', server);
  const settings = { ssl: true, ssl_cert_file: certPath, ssl_key_file: keyPath };
  postgres = await startPostgres({ dataDir: join(data, 'data'), password: PASSWORD, profile: 'fast', settings });
}, 60_000);
afterEach(async () => {
  await Promise.all(databases.map((database) => database.close()));
  databases = [];
});
afterAll(async () => {
  await postgres.stop();
  removeDataFolder(join(data, 'data'));
  for (const path of [folder, data]) rmSync(path, { recursive: true, force: true });
});

describe('PostgreSQL with sslmode verify-full', () => {
  it.each(['127.0.0.1', 'localhost'])('is reached at %s, encrypted', async (host) => {
    const { rows } = await open({ host }).query('select ssl, version from pg_stat_ssl where pid = pg_backend_pid()');

    expect(rows).toEqual([{ ssl: true, version: 'TLSv1.3' }]);
  });

  it.each([
    [
      'of another authority',
      server,
      () => writeAuthority(folder, 'stranger', makeCertificateAuthority('stranger')),
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    ],
    ['for another host', authority.issue({ names: ['other.test'] }), () => caPath, 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['that has run out', authority.issue({ addresses: ['127.0.0.1'], daysLeft: -1 }), () => caPath, 'CERT_HAS_EXPIRED'],
  ])('is not believed with a certificate %s', async (_case, pair, authorityPath, code) => {
    await serveWith(pair);
    try {
      await expect(open({}, { caPath: authorityPath() }).query('select 1')).rejects.toMatchObject({ code });
    } finally {
      await serveWith(server);
    }
  });

  it('is asked so by its own programs too', async () => {
    const tools = readToolchain().postgres;
    const isReady = (authorityPath: string) => {
      const access = {
        host: 'localhost',
        port: postgres.port,
        database: 'postgres',
        user: 'derms_admin',
        password: PASSWORD,
      };
      const tls = openClientTls({ name: 'database', caPath: authorityPath, verify: true });
      return programText({ ...postgresProgram(tools, 'pg_dump', { ...access, tls }, 'test'), args: ['--schema-only'] });
    };

    expect(await isReady(caPath)).toContain('PostgreSQL database dump');
    await expect(isReady(writeAuthority(folder, 'stranger', makeCertificateAuthority('stranger')))).rejects.toThrow(
      /certificate verify failed/,
    );
  });
});

it('a password that changes under load is read again by each new connection, and no statement fails', async () => {
  const file = join(folder, 'password');
  writeFileSync(file, 'the-first-password\n');
  await asAdmin("create role rotating login password 'the-first-password'");
  const password = new Secrets({ DB_PASSWORD_FILE: file }, 'no.env').reader('DB_PASSWORD', 'the-first-password');
  const busy = open({ user: 'rotating', password, poolSize: 4 });
  const until = performance.now() + 4_000;
  let done = 0;
  const ask = async (): Promise<void> => {
    while (performance.now() < until) {
      const fresh = openOne({ user: 'rotating', password });
      await Promise.all([busy.query('select 1'), fresh.query('select 1').finally(fresh.close)]);
      done += 1;
    }
  };
  const asking = Array.from({ length: 4 }, ask);
  for (const next of ['the-second-password', 'the-third-password']) {
    await sleep(700);
    await asAdmin(`alter role rotating password '${next}'`);
    await sleep(300); // the file has not followed yet
    writeFileSync(file, `${next}\n`);
  }
  await Promise.all(asking);

  expect(done).toBeGreaterThan(20);
}, 30_000);

/** Closed at the end. */
function open(options: Partial<DatabaseOptions>, tls: Partial<ClientTlsOptions> = {}): Database {
  const database = openOne(options, tls);
  databases.push(database);
  return database;
}

function openOne(options: Partial<DatabaseOptions>, tls: Partial<ClientTlsOptions> = {}): Database {
  const { host, port, superuser: user, password } = postgres;
  return openDatabase(
    {
      ...{ host, port, user, password, database: 'postgres', poolSize: 1 },
      ...{ connectTimeoutMs: 5_000, queryTimeoutMs: 5_000, applicationName: 'test' },
      tls: openClientTls({ name: 'database', caPath, verify: true, ...tls }),
      ...options,
    },
    testLog,
  );
}

/** As its administrator renews it: files replaced, configuration loaded again. */
async function serveWith(pair: Issued): Promise<void> {
  pairForPostgres('server', pair);
  await asAdmin('select pg_reload_conf()');
  await sleep(500);
}

async function asAdmin(sql: string): Promise<void> {
  const { port, superuser: user, password } = postgres;
  const client = new Client({ host: '127.0.0.1', port, user, password, database: 'postgres' });
  await client.connect();
  await client.query(sql).finally(() => client.end());
}

function pairForPostgres(name: string, pair: Issued): { certPath: string; keyPath: string } {
  const user = unprivilegedUser('postgres');
  const paths = writePair(data, name, pair);
  if (user) for (const path of Object.values(paths)) chownSync(path, user.uid, user.gid);
  return paths;
}
