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
  /** Of our own processes at the broker. */
  readonly mqttBackend: string;
  /** Of the simulated devices at the broker. */
  readonly mqttDevices: string;
  readonly jwtSecret: string;
  readonly users: Readonly<Record<LocalUser, string>>;
}

/** Reads the secrets, readable by their owner only, and makes them when they are not there yet. */
export function localSecrets(file: string): LocalSecrets {
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as LocalSecrets; // written below, whole or not there
  const secrets: LocalSecrets = {
    postgresAdmin: random(18),
    postgresApp: random(18),
    mqttBackend: random(18),
    mqttDevices: random(18),
    jwtSecret: random(48),
    users: { admin: random(12), operator: random(12), viewer: random(12) },
  };
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, `${JSON.stringify(secrets, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
  return secrets;
}

/** The value of AUTH_USERS: users with scrypt hashes of their passwords, as JSON. */
export async function authUsers(users: LocalSecrets['users']): Promise<string> {
  const entries = LOCAL_USERS.map(async (user) => ({ user, role: user, hash: await hashPassword(users[user]) }));
  return JSON.stringify(await Promise.all(entries));
}

/** Letters, digits, `-` and `_`: safe in a URL, a shell line and a connection string. */
function random(bytes: number): string {
  return randomBytes(bytes).toString('base64url');
}
