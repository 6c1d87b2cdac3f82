import { parseAuthUsers } from '../../../config/auth-users';
import { hashPassword, parsePasswordHash, unmatchableHash, verifyPassword } from '../../../config/password-hash';

describe('a password hash', () => {
  it('names its cost and matches its password only', async () => {
    const text = await hashPassword('correct horse battery');
    expect(text).toMatch(/^scrypt\$16384\$8\$1\$[A-Za-z0-9+/=]{24}\$[A-Za-z0-9+/=]{44}$/);
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
    ['another function', `bcrypt$16384$8$1$${salt}$${hash}`],
    ['too cheap', `scrypt$8192$8$1$${salt}$${hash}`],
    ['no power of two', `scrypt$16385$8$1$${salt}$${hash}`],
    ['dear enough to exhaust the process', `scrypt$1048576$32$1$${salt}$${hash}`],
    ['a short salt', `scrypt$16384$8$1$AAAA$${hash}`],
    ['a short hash', `scrypt$16384$8$1$${salt}$AAAA`],
  ])('is refused: %s', (_what, text) => {
    expect(parsePasswordHash(text)).toBeNull();
  });
});

describe('AUTH_USERS', () => {
  const hash = `scrypt$16384$8$1$${Buffer.alloc(16).toString('base64')}$${Buffer.alloc(32).toString('base64')}`;

  it('gives users with their roles', () => {
    const users = parseAuthUsers(JSON.stringify([{ user: 'olga', role: 'operator', hash }]));
    expect(users.map(({ user, role }) => [user, role])).toEqual([['olga', 'operator']]);
  });

  it.each([
    ['{', 'AUTH_USERS: is not JSON'],
    ['[]', 'AUTH_USERS: names nobody'],
    [JSON.stringify([{ user: 'o lga', role: 'operator', hash }]), 'is not a user name'],
    [JSON.stringify([{ user: 'olga', role: 'root', hash }]), '[0].role: '],
    [JSON.stringify([{ user: 'olga', role: 'viewer', hash, since: 1 }]), 'since'],
    [JSON.stringify([{ user: 'olga', role: 'viewer', hash: 'x' }]), '[0].hash: is no scrypt hash'],
    [
      JSON.stringify([
        { user: 'olga', role: 'viewer', hash },
        { user: 'olga', role: 'admin', hash },
      ]),
      '[1].user: is given twice',
    ],
  ])('%s is refused', (json, message) => {
    expect(() => parseAuthUsers(json)).toThrow(message);
  });

  it('never quotes a hash', () => {
    expect(() => parseAuthUsers(JSON.stringify([{ user: 'olga', role: 'viewer', hash: 'secret-ish' }]))).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining('secret-ish') }),
    );
  });
});
