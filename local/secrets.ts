import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { hashPassword } from '../config/password-hash';

/** Who can sign in to the API of the local stack; the name is the role. */
export const LOCAL_USERS = ['admin', 'operator', 'viewer'] as const;
export type LocalUser = (typeof LOCAL_USERS)[number];

/** Passwords and keys of the local stack, drawn once; none is in the code. */
export interface LocalSecrets {
  readonly postgresAdmin: string;
  readonly postgresApp: string;
  readonly postgresBackup: string;
  /** Of our own processes at the broker. */
  readonly mqttBackend: string;
  /** Of the simulated devices at the broker. */
  readonly mqttDevices: string;
  readonly jwtSecret: string;
  /** Key ring of the backups, of one key: lost with this file, and the backups with it. */
  readonly backupKeys: string;
  readonly users: Readonly<Record<LocalUser, string>>;
  /** The day that all of these were drawn. */
  readonly usersSetOn: string;
}

/** Reads the secrets, readable by their owner only; those that are not there yet are drawn and kept. */
export function localSecrets(file: string): LocalSecrets {
  const kept = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Partial<LocalSecrets>) : {}; // written below
  const secrets: LocalSecrets = { ...drawn(), ...kept };
  if (Object.keys(kept).length === Object.keys(secrets).length) return secrets;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, `${JSON.stringify(secrets, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
  return secrets;
}

/** Writes when those were drawn, for `secrets-check`; returns the path. */
export function writeSecretDates(file: string, { usersSetOn }: LocalSecrets): string {
  const names = ['BACKUP_DB_PASSWORD', 'DB_PASSWORD', 'JWT_SECRET', 'MQTT_PASSWORD'];
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(Object.fromEntries(names.map((name) => [name, usersSetOn])), undefined, 2)}\n`);
  return file;
}

const drawn = (): LocalSecrets => ({
  postgresAdmin: random(18),
  postgresApp: random(18),
  postgresBackup: random(18),
  mqttBackend: random(18),
  mqttDevices: random(18),
  jwtSecret: random(48),
  backupKeys: `local:${randomBytes(32).toString('base64')}`,
  users: { admin: random(12), operator: random(12), viewer: random(12) },
  usersSetOn: new Date().toISOString().slice(0, 10),
});

/** The value of AUTH_USERS: users with scrypt hashes of their passwords, as JSON. */
export async function authUsers({ users, usersSetOn }: LocalSecrets): Promise<string> {
  const entries = LOCAL_USERS.map(async (user) => {
    const hash = await hashPassword(users[user]);
    return { user, role: user, passwordSetOn: usersSetOn, hash };
  });
  return JSON.stringify(await Promise.all(entries));
}

/** Letters, digits, `-` and `_`: safe in a URL, a shell line and a connection string. */
function random(bytes: number): string {
  return randomBytes(bytes).toString('base64url');
}
