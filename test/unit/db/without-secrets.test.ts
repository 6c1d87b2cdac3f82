import { sign } from 'jsonwebtoken';
import { hashPassword } from '../../../config/password-hash';
import { withoutSecrets } from '../../../db/without-secrets';

const JWT = sign({ role: 'admin' }, 'a-secret-of-at-least-thirty-two-characters');

it.each([
  [{ password: 'x' }, { password: '[left out]' }],
  [{ before: [{ clientSecret: 'x', weight: 2 }] }, { before: [{ clientSecret: '[left out]', weight: 2 }] }],
  [{ Authorization: 'Basic eA==' }, { Authorization: '[left out]' }],
  [{ message: `Bearer ${JWT} is not good` }, { message: 'Bearer [left out] is not good' }],
  [{ url: 'postgres://derms:pass-word@db:5432/derms' }, { url: '[left out]db:5432/derms' }],
  [
    { feederId: 'token-ring', hasToken: true, tokens: 3 },
    { feederId: 'token-ring', hasToken: true, tokens: 3 },
  ],
  [
    { at: '2026-05-01T12:00:00Z', none: null },
    { at: '2026-05-01T12:00:00Z', none: null },
  ],
])('%j is kept as %j', (detail, kept) => {
  expect(withoutSecrets(detail)).toEqual(kept);
});

it('a password hash is left out wherever it stands', async () => {
  const hash = await hashPassword('correct horse battery');
  expect(withoutSecrets({ note: `the hash is ${hash}.` })).toEqual({ note: 'the hash is [left out]' });
});
