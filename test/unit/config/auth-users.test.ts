import { parseAuthUsers, passwordAges, usersWithSamplePasswords } from '../../../config/auth-users';
import { hashPassword, parsePasswordHash, unmatchableHash, verifyPassword } from '../../../config/password-hash';

describe('a password hash', () => {
  it('names its cost and matches its password only', async () => {
    const text = await hashPassword('correct horse battery');
    expect(text).toMatch(/^scrypt\$16384\$8\$5\$[A-Za-z0-9+/=]{24}\$[A-Za-z0-9+/=]{44}$/);
    const hash = parsePasswordHash(text);
    expect(hash).not.toBeNull();
    expect(await verifyPassword('correct horse battery', hash ?? unmatchableHash())).toBe(true);
    expect(await verifyPassword('correct horse batterx', hash ?? unmatchableHash())).toBe(false);
  });

  it('is another one each time', async () => {
    expect(await hashPassword('same')).not.toBe(await hashPassword('same'));
  });

  it('matches however the keyboard composed its letters', async () => {
    const hash = parsePasswordHash(await hashPassword('caf\u00e9'));
    expect(await verifyPassword('cafe\u0301', hash ?? unmatchableHash())).toBe(true);
  });

  const salt = Buffer.alloc(16).toString('base64');
  const hash = Buffer.alloc(32).toString('base64');
  it.each([
    ['plain text', 'secret'],
    ['another function', `bcrypt$16384$8$5$${salt}$${hash}`],
    ['too cheap', `scrypt$8192$8$10$${salt}$${hash}`],
    ["too cheap, by Node's defaults", `scrypt$16384$8$1$${salt}$${hash}`],
    ['no power of two', `scrypt$16385$8$5$${salt}$${hash}`],
    ['dear enough to exhaust the process', `scrypt$1048576$32$1$${salt}$${hash}`],
    ['a short salt', `scrypt$16384$8$5$AAAA$${hash}`],
    ['a short hash', `scrypt$16384$8$5$${salt}$AAAA`],
  ])('is refused: %s', (_what, text) => {
    expect(parsePasswordHash(text)).toBeNull();
  });
});

describe('AUTH_USERS', () => {
  const now = new Date('2026-05-01T12:00:00Z');
  const development = { strict: false, now };
  const strict = { strict: true, now };
  const SALT = 'pmO3Vq0tGm4hUeQx3kK9Zg==';
  const HASH = 'Yx1tqB0oV4m1k9Cw7cQ2sJ3uKcQ5b1u0N8yZr6fTgXs=';
  const hash = `scrypt$16384$8$5$${SALT}$${HASH}`;
  const olga = { user: 'olga', role: 'operator', passwordSetOn: '2026-04-30', hash };

  it('gives users with their roles and when their passwords were set', () => {
    const users = parseAuthUsers(JSON.stringify([olga]), strict);
    expect(users).toMatchObject([{ user: 'olga', role: 'operator', passwordSetOn: '2026-04-30' }]);
  });

  it.each([
    ['{', 'AUTH_USERS: is not JSON'],
    ['[]', 'AUTH_USERS: names nobody'],
    [JSON.stringify([{ ...olga, user: 'o lga' }]), 'is not a user name'],
    [JSON.stringify([{ ...olga, role: 'root' }]), '[0].role: '],
    [JSON.stringify([{ ...olga, since: 1 }]), 'since'],
    [JSON.stringify([{ ...olga, hash: 'x' }]), '[0].hash: is no scrypt hash'],
    [JSON.stringify([olga, { ...olga, role: 'admin' }]), '[1].user: is given twice'],
    [JSON.stringify([{ ...olga, passwordSetOn: 'May' }]), '[0].passwordSetOn: is no date'],
    [JSON.stringify([{ ...olga, passwordSetOn: '2026-05-03' }]), '[0].passwordSetOn: has not come yet'],
  ])('%s is refused', (json, message) => {
    expect(() => parseAuthUsers(json, development)).toThrow(message);
  });

  it.each([
    ['without a date', { passwordSetOn: undefined }, '[0].passwordSetOn: is required'],
    ['with a salt of zeros', { hash: `scrypt$16384$8$5$AAAAAAAAAAAAAAAAAAAAAA==$${HASH}` }, '[0].hash: is an example'],
    [
      'with a salt that somebody typed',
      { hash: `scrypt$16384$8$5$${Buffer.from('salt of the town').toString('base64')}$${HASH}` },
      '[0].hash: is an example',
    ],
    ['with a hash of zeros', { hash: `scrypt$16384$8$5$${SALT}$${'A'.repeat(43)}=` }, '[0].hash: is an example'],
  ])('%s is taken in development only', (_what, fields, message) => {
    const json = JSON.stringify([{ ...olga, ...fields }]);
    expect(parseAuthUsers(json, development)).toHaveLength(1);
    expect(() => parseAuthUsers(json, strict)).toThrow(message);
  });

  it('never quotes a hash', () => {
    expect(() => parseAuthUsers(JSON.stringify([{ ...olga, hash: 'secret-ish' }]), development)).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining('secret-ish') }),
    );
  });

  it('finds passwords that everybody tries first', async () => {
    const entryOf = async (user: string, password: string) => ({ ...olga, user, hash: await hashPassword(password) });
    const entries = [
      await entryOf('ann', 'changeme'),
      await entryOf('ben', 'Blue bicycle 41'),
      await entryOf('carol', 'carol'),
    ];
    expect(await usersWithSamplePasswords(parseAuthUsers(JSON.stringify(entries), strict))).toEqual(['ann', 'carol']);
  });

  it('says how old passwords are, and whose are older than 90 days', () => {
    const entries = [
      olga,
      { ...olga, user: 'new', passwordSetOn: '2026-01-31' },
      { ...olga, user: 'old', passwordSetOn: '2026-01-30' },
      { ...olga, user: 'undated', passwordSetOn: undefined },
    ];
    const users = parseAuthUsers(JSON.stringify(entries), development);
    expect(passwordAges(users, now, 90)).toEqual({ oldestDays: 91, oldestSetOn: '2026-01-30', overdue: ['old'] });
    expect(passwordAges([], now, 90)).toEqual({ oldestDays: null, oldestSetOn: null, overdue: [] });
  });
});
