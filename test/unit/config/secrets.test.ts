import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadSomeSettings } from '../../../config/load';
import { Secrets } from '../../../config/secrets';

const folder = mkdtempSync(join(tmpdir(), 'derms-test-secrets-'));
const file = join(folder, 'password');
afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe('a secret from a file', () => {
  it('is what the file holds when it is asked for, and stays while the file is away', () => {
    writeFileSync(file, 'the-first-one\n');
    const secrets = new Secrets({ DB_PASSWORD_FILE: file }, 'no.env');
    const read = secrets.reader('DB_PASSWORD', 'the-first-one');
    expect(read()).toBe('the-first-one');

    writeFileSync(file, 'the-second-one\n');
    expect(read()).toBe('the-second-one');

    rmSync(file);
    expect(read()).toBe('the-second-one');
    expect([...secrets.seen]).toEqual(['the-first-one', 'the-second-one']);
  });

  it('that the environment names wins over a value in .env', () => {
    const dotEnv = join(folder, '.env');
    writeFileSync(dotEnv, 'DB_PASSWORD=an-old-value\n');
    writeFileSync(file, 'a-mounted-value');

    const load = (environment: NodeJS.ProcessEnv) => loadSomeSettings(['DB_PASSWORD'], environment, dotEnv).DB_PASSWORD;

    expect(load({ DB_PASSWORD_FILE: file })).toBe('a-mounted-value');
    expect(load({ DB_PASSWORD: 'a-given-value' })).toBe('a-given-value');
    expect(load({})).toBe('an-old-value');
  });
});

it('every part of a secret is known, as it is and as a log would write it, but no short word', () => {
  const environment = {
    DB_PASSWORD: 'short',
    MQTT_PASSWORD: 'with "quotes"',
    AUTH_USERS: '[{"user":"a","role":"admin","hash":"scrypt$1$2$3$abc$def"}]',
    BACKUP_ENCRYPTION_KEYS: `new:${'k'.repeat(43)}=,old:${'j'.repeat(43)}=`,
    RESTORE_TARGET_URL: 'postgres://user:p%40ssword@host/db',
  };
  const { seen } = new Secrets(environment, 'no.env');

  expect([...seen]).toEqual(
    expect.arrayContaining([
      'with "quotes"',
      'with \\"quotes\\"',
      'scrypt$1$2$3$abc$def',
      `${'k'.repeat(43)}=`,
      `${'j'.repeat(43)}=`,
      'p%40ssword',
      'p@ssword',
    ]),
  );
  expect(seen).not.toContain('short');
});
