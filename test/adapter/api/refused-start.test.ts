import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hashPassword } from '../../../config/password-hash';
import { makeCertificateAuthority, writePair } from '../../support/certificate-authority';

// The compiled program, in an environment that it must not run in: it ends before it reaches for anything.

const PROGRAM = join(__dirname, '../../../dist/api/main.js');
const folder = mkdtempSync(join(tmpdir(), 'derms-test-start-'));
const authority = makeCertificateAuthority();
const one = writePair(folder, 'one', authority.issue({ names: ['a.test'] }));
const other = writePair(folder, 'other', authority.issue({ names: ['a.test'] }));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const SECRET = randomBytes(48).toString('base64');
const SAMPLE = 'please-change-me-before-you-go-live-9317';
let good: NodeJS.ProcessEnv;
let sampleUser: string;
beforeAll(async () => {
  const entry = { user: 'olga', role: 'admin', passwordSetOn: new Date().toISOString().slice(0, 10) };
  sampleUser = JSON.stringify([{ ...entry, hash: await hashPassword('changeme') }]);
  good = {
    ...{ PATH: process.env['PATH'], NODE_ENV: 'production', DEPLOYMENT: 'production' },
    ...{ DB_PASSWORD: 'x', MQTT_TLS_ENABLED: 'true', JWT_SECRET: SECRET },
    AUTH_USERS: JSON.stringify([{ ...entry, hash: await hashPassword('Blue bicycle 41') }]),
  };
});

const start = (env: NodeJS.ProcessEnv): Promise<{ code: unknown; said: string }> =>
  new Promise((resolve) => {
    execFile('node', [PROGRAM], { env, cwd: folder, timeout: 60_000 }, (error, stdout, stderr) => {
      resolve({ code: error?.code ?? 0, said: stdout + stderr });
    });
  });

const WEAK_HASH = 'scrypt$1024$8$1$cG1PM1ZxMHRHbTRoVWVReA==$Yx1tqB0oV4m1k9Cw7cQ2sJ3uKcQ5b1u0N8yZr6fTgXs=';
const users = (fields: object): string =>
  JSON.stringify([{ user: 'olga', role: 'admin', passwordSetOn: '2026-05-01', hash: WEAK_HASH, ...fields }]);

it.each<[string, () => NodeJS.ProcessEnv, RegExp]>([
  [
    'a hash that is too cheap',
    () => ({ AUTH_USERS: users({}) }),
    /AUTH_USERS: \[0\]\.hash: is no scrypt hash of sufficient cost/,
  ],
  ['a password that everybody tries', () => ({ AUTH_USERS: sampleUser }), /AUTH_USERS: sample passwords of olga/],
  ['a sample for its secret', () => ({ JWT_SECRET: SAMPLE }), /JWT_SECRET: the secret is a sample value/],
  ['a secret that was typed', () => ({ JWT_SECRET: 'a'.repeat(64) }), /JWT_SECRET: the secret repeats itself/],
  ['one secret in both places', () => ({ JWT_SECRET_PREVIOUS: SECRET }), /JWT_SECRET_PREVIOUS: is the same/],
  [
    'no kind of deployment',
    () => ({ DEPLOYMENT: 'development' }),
    /DEPLOYMENT: with NODE_ENV=production say staging or production/,
  ],
  [
    'the broker in plain',
    () => ({ MQTT_TLS_ENABLED: 'false' }),
    /MQTT_TLS_ENABLED: production refuses a plain connection/,
  ],
  [
    'an unchecked broker',
    () => ({ MQTT_TLS_REJECT_UNAUTHORIZED: 'false' }),
    /MQTT_TLS_REJECT_UNAUTHORIZED: production refuses/,
  ],
  [
    'no check of any certificate',
    () => ({ NODE_TLS_REJECT_UNAUTHORIZED: '0' }),
    /NODE_TLS_REJECT_UNAUTHORIZED: 0 switches off/,
  ],
  ['PostgreSQL far away in plain', () => ({ DB_HOST: 'db.test' }), /DB_SSLMODE: production needs verify-full/],
  [
    'Temporal far away in plain',
    () => ({ TEMPORAL_ADDRESS: 'temporal.test:7233' }),
    /TEMPORAL_TLS_ENABLED: production needs true/,
  ],
  ['an API key for Temporal in plain', () => ({ TEMPORAL_API_KEY: 'k' }), /TEMPORAL_TLS_ENABLED: must be true/],
  ['TLS without files', () => ({ TLS_ENABLED: 'true' }), /TLS_CERT_PATH: is required with TLS_ENABLED=true/],
  [
    'the key of another certificate',
    () => ({ TLS_ENABLED: 'true', TLS_CERT_PATH: one.certPath, TLS_KEY_PATH: other.keyPath }),
    /other\.key: is not the key of the certificate in/,
  ],
])(
  'the API does not start with %s, and says so without quoting it',
  async (_what, wrong, message) => {
    const env = { ...good, ...wrong() };
    const { code, said } = await start(env);

    expect(code).toBe(1);
    expect(said).toMatch(message);
    for (const secret of [SECRET, SAMPLE, WEAK_HASH]) expect(said).not.toContain(secret);
  },
  60_000,
);
