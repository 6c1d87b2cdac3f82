import { STREAK_RULES } from '../../../api/auth/login-back-off';
import { countAttempt, forgetAttempts, removeOldStreaks } from '../../../db/login-streaks';
import { loginAttemptCases, type CounterUnderTest } from '../../support/login-attempt-cases';
import { createTestDatabase, type TestDatabase } from '../../support/servers';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase({ poolSize: 8 });
});
afterAll(() => database.drop());
beforeEach(() => database.db.query('delete from login_streaks'));

const counter = (): CounterUnderTest => ({
  count: (subject) => countAttempt(database.db, subject, STREAK_RULES),
  forget: (subject) => forgetAttempts(database.db, subject),
  pass: async (seconds) => {
    await database.db.query(
      `update login_streaks set last_at = last_at - make_interval(secs => $1),
                                blocked_until = blocked_until - make_interval(secs => $1)`,
      [seconds],
    );
  },
});

describe('log-in attempts, counted in the database', () => {
  loginAttemptCases(() => Promise.resolve(counter()));

  it('keep neither names nor addresses: what is typed as a name may be a password', async () => {
    await counter().count({ user: 'Correct horse battery 9', address: '10.0.0.1' });
    const { rows } = await database.db.query<{ text: string }>('select s::text as text from login_streaks s');
    expect(rows).toHaveLength(2);
    expect(rows.map(({ text }) => text).join()).not.toMatch(/horse|10\.0\.0\.1/);
  });

  it('go when they are forgiven', async () => {
    await counter().count({ user: 'olga', address: 'a' });
    await counter().pass(901);
    await counter().count({ user: 'otto', address: 'a' });
    await removeOldStreaks(database.db, STREAK_RULES.forgivenAfterSeconds);
    const { rows } = await database.db.query('select 1 from login_streaks');
    expect(rows).toHaveLength(2);
  });
});
