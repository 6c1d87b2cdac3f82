import { randomBytes } from 'node:crypto';
import { hashPassword } from '../config/password-hash';
import { passwordFault } from '../config/password-rules';
import { SECRET_SETTINGS } from '../config/schema';
import { secretFault } from '../config/secret-strength';
import { brokerPasswordLine } from '../servers/mosquitto';

/** Who may connect to the brokers of docker-compose.yml, and the variable of `.env` that has the password. */
export const COMPOSE_BROKER_USERS = {
  derms: 'MQTT_PASSWORD',
  simulator: 'MQTT_SIMULATOR_PASSWORD',
  monitor: 'MQTT_MONITOR_PASSWORD',
} as const;

export interface ComposeSecrets {
  /** Variables of `.env`. */
  readonly environment: Readonly<Record<string, string>>;
  /** Mosquitto's `password_file`. */
  readonly brokerPasswordFile: string;
  /** What `SECRETS_DATES_FILE` names. */
  readonly dates: Readonly<Record<string, string>>;
}

/** Draws every secret of the stack. None of it is like that of another stack, and no check of ours refuses any. */
export async function composeSecrets(now: Date): Promise<ComposeSecrets> {
  const today = now.toISOString().slice(0, 10);
  const admin = { user: 'admin', role: 'admin', password: drawnUntil((text) => passwordFault(text, 'admin') === null) };
  const hash = await hashPassword(admin.password);
  const strong = (text: string): boolean => secretFault(text, { samplesAllowed: false }) === null;
  const environment = {
    DERMS_USER: admin.user,
    DERMS_PASSWORD: admin.password,
    AUTH_USERS: JSON.stringify([{ user: admin.user, role: admin.role, passwordSetOn: today, hash }]),
    JWT_SECRET: drawnUntil(strong, 48),
    DB_ADMIN_PASSWORD: drawn(),
    DB_PASSWORD: drawn(),
    BACKUP_DB_PASSWORD: drawn(),
    TEMPORAL_DB_PASSWORD: drawn(),
    MQTT_PASSWORD: drawn(),
    MQTT_SIMULATOR_PASSWORD: drawn(),
    MQTT_MONITOR_PASSWORD: drawn(),
    BACKUP_ENCRYPTION_KEYS: `compose-${today}:${randomBytes(32).toString('base64')}`,
    BACKUP_S3_ACCESS_KEY_ID: `derms${randomBytes(6).toString('hex')}`,
    BACKUP_S3_SECRET_ACCESS_KEY: drawn(),
    GRAFANA_ADMIN_PASSWORD: drawn(),
  };
  const users = Object.entries(COMPOSE_BROKER_USERS).map(([username, variable]) =>
    brokerPasswordLine({ username, password: environment[variable] }),
  );
  const secrets = Object.keys(environment).filter((name) => (SECRET_SETTINGS as readonly string[]).includes(name));
  return {
    environment,
    brokerPasswordFile: `${users.join('\n')}\n`,
    dates: Object.fromEntries(secrets.map((name) => [name, today])),
  };
}

/** In single quotes, in which neither docker compose nor we look for variables: hashes are full of `$`. */
export function dotEnv(environment: Readonly<Record<string, string>>): string {
  const lines = Object.entries(environment).map(([name, value]) => `${name}='${value}'`);
  return `# Secrets of docker-compose.yml, drawn by \`npm run setup:env\`. Not for git.\n${lines.join('\n')}\n`;
}

/** Letters, digits, `-` and `_`: safe in a URL, a shell line and a connection string. */
const drawn = (bytes = 24): string => randomBytes(bytes).toString('base64url');

/** One draw in some thousand lacks a digit or the like. */
function drawnUntil(fits: (text: string) => boolean, bytes?: number): string {
  for (;;) {
    const text = drawn(bytes);
    if (fits(text)) return text;
  }
}
