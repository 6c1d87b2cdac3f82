import { readCredentials } from '../../../../api/auth/credentials';
import { hashPassword } from '../../../../config/password-hash';

const NOW = new Date('2026-05-01T12:00:00Z');
const SECRET = 'nLqGmQ0b3yU7sT9xVd2kZr5wHc8fJa1eP4iM6oXuBtY';
const OTHER = 'pX2rV9sKdT0aQz7cJm4YwL8hNb6uGe1fRi5oSvBtWyE';
let good: { user: string; role: string; passwordSetOn?: string; hash: string };
let sample: typeof good;
beforeAll(async () => {
  const entry = { user: 'olga', role: 'operator', passwordSetOn: '2026-04-30' };
  good = { ...entry, hash: await hashPassword('Blue bicycle 41') };
  sample = { ...entry, user: 'otto', hash: await hashPassword('changeme') };
});

type Given = Partial<Parameters<typeof readCredentials>[0]>;
const read = (given: Given = {}, users: readonly object[] = [good]) =>
  readCredentials(
    {
      ...{ NODE_ENV: 'production', DEPLOYMENT: 'production', JWT_TTL_SECONDS: 3_600 },
      ...{ JWT_SECRET: SECRET, JWT_SECRET_PREVIOUS: undefined, AUTH_USERS: JSON.stringify(users) },
      ...given,
    },
    NOW,
  );

describe('what the API lets people in by', () => {
  it('has an issuer of each kind of deployment', async () => {
    const both = { secret: SECRET, previousSecret: OTHER };
    expect(await read({ JWT_SECRET_PREVIOUS: OTHER })).toMatchObject({ issuer: 'derms-production', ...both });
    expect(await read({ DEPLOYMENT: 'staging' })).toMatchObject({ issuer: 'derms-staging', previousSecret: null });
    expect((await read({ DEPLOYMENT: 'development', NODE_ENV: 'test' })).issuer).toBe('derms-development');
  });

  it.each<[string, Given]>([
    ['The API needs AUTH_USERS and JWT_SECRET.', { AUTH_USERS: undefined }],
    ['The API needs AUTH_USERS and JWT_SECRET.', { JWT_SECRET: undefined }],
    ['DEPLOYMENT: with NODE_ENV=production say staging or production', { DEPLOYMENT: 'development' }],
    ['JWT_SECRET: the secret has fewer than 32 characters.', { JWT_SECRET: 'short' }],
    ['JWT_SECRET: the secret is a sample value', { JWT_SECRET: 'please-change-me-before-you-go-live-9317' }],
    ['JWT_SECRET_PREVIOUS: the secret repeats itself.', { JWT_SECRET_PREVIOUS: 'ab'.repeat(20) }],
    ['JWT_SECRET_PREVIOUS: is the same as JWT_SECRET.', { JWT_SECRET_PREVIOUS: SECRET }],
  ])('is refused at the start: %s', async (message, given) => {
    await expect(read(given)).rejects.toThrow(message);
  });

  it('has no sample password and no undated entry but in development', async () => {
    await expect(read({}, [good, sample])).rejects.toThrow('AUTH_USERS: sample passwords of otto; set others.');
    await expect(read({ NODE_ENV: 'test', DEPLOYMENT: 'staging' }, [good, sample])).rejects.toThrow('otto');
    const undated = { ...good, passwordSetOn: undefined };
    await expect(read({}, [undated])).rejects.toThrow('[0].passwordSetOn: is required');
    const development = { NODE_ENV: 'development', DEPLOYMENT: 'development' } as const;
    expect((await read(development, [undated, sample])).users).toHaveLength(2);
  });
});
