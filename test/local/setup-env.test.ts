import { X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'dotenv';
import { parseAuthUsers, usersWithSamplePasswords } from '../../config/auth-users';
import { loadSettings } from '../../config/load';
import { secretFault } from '../../config/secret-strength';
import { COMPOSE_CERTIFICATES, composeCertificates, readComposeAuthority } from '../../local/compose-certificates';
import { COMPOSE_BROKER_USERS, composeSecrets, dotEnv } from '../../local/compose-secrets';
import { parseKeyRing } from '../../storage/encryption/key-ring';

const folder = mkdtempSync(join(tmpdir(), 'derms-setup-env-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe('what npm run setup:env draws', () => {
  it('is read back as it was drawn, and passes every check of ours', async () => {
    const { environment } = await composeSecrets(new Date());
    const file = join(folder, '.env');
    writeFileSync(file, dotEnv(environment));
    expect(parse(readFileSync(file))).toEqual(environment);
    const loaded = loadSettings({ NODE_ENV: 'production', MQTT_TLS_ENABLED: 'true' }, file);
    expect(loaded.JWT_SECRET).toBe(environment['JWT_SECRET']);
    expect(secretFault(loaded.JWT_SECRET ?? '', { samplesAllowed: false })).toBeNull();
    expect(() => parseKeyRing(loaded.BACKUP_ENCRYPTION_KEYS ?? '')).not.toThrow();
    const users = parseAuthUsers(loaded.AUTH_USERS ?? '', { strict: true, now: new Date() });
    expect(users.map(({ user, role }) => [user, role])).toEqual([['admin', 'admin']]);
    expect(await usersWithSamplePasswords(users)).toEqual([]);
  });

  it('is never the same twice', async () => {
    const [one, other] = [await composeSecrets(new Date()), await composeSecrets(new Date())];
    const same = Object.keys(one.environment).filter((name) => one.environment[name] === other.environment[name]);
    expect(same).toEqual(['DERMS_USER']);
  });

  it('has a line for each user of the brokers, and no password in it', async () => {
    const { environment, brokerPasswordFile } = await composeSecrets(new Date());
    const lines = brokerPasswordFile.trim().split('\n');
    expect(lines.map((line) => line.split(':')[0])).toEqual(Object.keys(COMPOSE_BROKER_USERS));
    for (const variable of Object.values(COMPOSE_BROKER_USERS))
      expect(brokerPasswordFile).not.toContain(environment[variable]);
  });

  it('has certificates for the names that services have, renewed by the same authority', () => {
    const keys = join(folder, 'keys');
    mkdirSync(keys);
    composeCertificates(keys, null);
    const read = (name: string) => new X509Certificate(readFileSync(join(keys, `${name}.crt`)));
    const before = read('postgres').serialNumber;
    composeCertificates(keys, readComposeAuthority(keys));
    for (const name of COMPOSE_CERTIFICATES) {
      expect(read(name).checkHost(name)).toBe(name);
      expect(read(name).verify(read('ca').publicKey)).toBe(true);
    }
    expect(read('postgres').serialNumber).not.toBe(before);
    expect(() => readComposeAuthority(folder)).toThrow('`npm run setup:env` makes one');
  });
});
