import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { MigrationError, migrate, schemaFault } from '../../../db/migrate';
import { createTestDatabase, testServers, type TestDatabase } from '../../support/servers';

let database: TestDatabase;
const clients: Client[] = [];

const owner = async (): Promise<Client> => {
  const { host, port, adminUser, adminPassword } = testServers().postgres;
  const client = new Client({ host, port, user: adminUser, password: adminPassword, database: database.name });
  await client.connect();
  clients.push(client);
  return client;
};

beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.end()));
  await database.drop();
});

describe('migrate', () => {
  it('finds nothing to do on a schema that is current', async () => {
    expect(await migrate(await owner())).toEqual([]);
    expect(await schemaFault(await owner())).toBeNull();
  });

  it('is run once when several processes start at once', async () => {
    const first = await owner();
    await first.query('drop schema public cascade; create schema public');
    const applied = await Promise.all([first, await owner(), await owner()].map((client) => migrate(client)));
    const files = readdirSync(join(__dirname, '../../../db/migrations')).sort();
    expect(applied.flat()).toEqual(files.map((file) => file.replace('.sql', '')));
  });

  it('works on what a newer release has added, and refuses what one has taken away', async () => {
    const client = await owner();
    await client.query("insert into schema_migrations (name, checksum) values ('9998_only_adds', 'x')");
    expect([await migrate(client), await schemaFault(client)]).toEqual([[], null]);
    await client.query("insert into schema_migrations values ('9999_takes_away', 'x', now(), '99.0.0')");
    await expect(migrate(client)).rejects.toThrow(MigrationError);
    await expect(migrate(client)).rejects.toThrow('9999_takes_away');
    expect(await schemaFault(client)).toBe('the schema is newer than this program: 9999_takes_away');
  });

  it('works on what was taken away when this release does not use it any more', async () => {
    const client = await owner();
    await client.query("insert into schema_migrations values ('9999_takes_away', 'x', now(), '0.1.0')");
    expect(await schemaFault(client)).toBeNull();
  });

  it('looks at a schema that an older release has made', async () => {
    const client = await owner();
    await client.query('alter table schema_migrations drop column usable_since');
    await client.query("delete from schema_migrations where name = '0019_control_ticks'");
    expect(await schemaFault(client)).toBe('migrations are not applied: 0019_control_ticks');
  });

  it('waits for a table without stopping those who come after, and is through when the table is free', async () => {
    const client = await owner();
    await client.query("delete from schema_migrations where name = '0019_control_ticks'");
    await client.query(
      'alter table control_loops drop column on_time_ticks, drop column late_ticks, drop column judged_tick_at',
    );
    const reader = await owner();
    await reader.query('begin; select from control_loops');
    const migrated = migrate(client);
    await new Promise((resolve) => setTimeout(resolve, 300)); // it is in the queue
    const began = performance.now();
    await database.db.query('select from control_loops');
    expect(performance.now() - began).toBeLessThan(10_000); // without a bound: for as long as the reader likes
    await reader.query('rollback');
    expect(await migrated).toEqual(['0019_control_ticks']);
  }, 60_000);

  it('refuses when a merged migration was edited', async () => {
    const client = await owner();
    await client.query("update schema_migrations set checksum = 'another' where name = '0001_initial'");
    await expect(migrate(client)).rejects.toThrow('0001_initial was edited');
  });

  it('gives the application no hand in the schema or in what is written once', async () => {
    await expect(database.db.query('drop table feeders')).rejects.toThrow('must be owner');
    await expect(database.db.query('delete from audit_log')).rejects.toThrow('permission denied');
    await expect(database.db.query('delete from schema_migrations')).rejects.toThrow('permission denied');
  });
});
