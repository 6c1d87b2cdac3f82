import { Client } from 'pg';
import { untilSchemaIsOurs } from '../../../worker/await-schema';
import { createTestDatabase, testLog, testServers, type TestDatabase } from '../../support/servers';

let database: TestDatabase;
let owner: Client;

beforeEach(async () => {
  database = await createTestDatabase();
  const { host, port, adminUser, adminPassword } = testServers().postgres;
  owner = new Client({ host, port, user: adminUser, password: adminPassword, database: database.name });
  await owner.connect();
});
afterEach(async () => {
  await owner.end();
  await database.drop();
});

const waiting = () => {
  const state = { over: false };
  const over = untilSchemaIsOurs(database.db, testLog, 20).then(() => {
    state.over = true;
  });
  return { state, over };
};
const aMoment = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 150));

describe('a worker role', () => {
  it('goes on at once when the schema is its own', async () => {
    await waiting().over;
  });

  it('does nothing on a schema that a newer release has taken something from', async () => {
    await owner.query("insert into schema_migrations values ('9999_from_the_future', 'x', now(), '99.0.0')");
    const { state, over } = waiting();
    await aMoment();
    expect(state.over).toBe(false);
    await owner.query("delete from schema_migrations where name = '9999_from_the_future'");
    await over;
  });

  it('waits for migrations that are on their way', async () => {
    const { rows } = await owner.query<{ checksum: string }>(
      "delete from schema_migrations where name = '0001_initial' returning checksum",
    );
    const { state, over } = waiting();
    await aMoment();
    expect(state.over).toBe(false);
    await owner.query("insert into schema_migrations (name, checksum) values ('0001_initial', $1)", [
      rows[0]?.checksum,
    ]);
    await over;
  });
});
