import { openClientTls, type ClientTls } from '../tls/client-tls';
import type { SettingName, Settings } from './schema';
import type { Secrets } from './secrets';

/**
 * How each server is reached, as its adapter wants it: the parts of the environment that belong together. Passwords are
 * functions, and certificates are read by the connection: a new one gets what is true then.
 */
export const DATABASE_SETTINGS = [
  ...(['DB_HOST', 'DB_PORT', 'DB_NAME', 'DB_USER', 'DB_PASSWORD', 'DB_CONNECT_TIMEOUT_MS'] as const),
  ...(['DB_SSLMODE', 'DB_SSL_CA_PATH', 'DB_SSL_CERT_PATH', 'DB_SSL_KEY_PATH'] as const),
] as const satisfies readonly SettingName[];
export const BROKER_SETTINGS = [
  ...(['MQTT_HOST', 'MQTT_PORT', 'MQTT_STANDBY_HOST', 'MQTT_STANDBY_PORT'] as const),
  ...(['MQTT_USERNAME', 'MQTT_PASSWORD', 'MQTT_TLS_ENABLED'] as const),
  ...(['MQTT_TLS_CA_PATH', 'MQTT_TLS_CERT_PATH', 'MQTT_TLS_KEY_PATH', 'MQTT_TLS_SERVER_NAME'] as const),
  'MQTT_TLS_REJECT_UNAUTHORIZED',
] as const satisfies readonly SettingName[];
export const TEMPORAL_SETTINGS = [
  ...(['TEMPORAL_ADDRESS', 'TEMPORAL_NAMESPACE', 'TEMPORAL_API_KEY', 'TEMPORAL_TLS_ENABLED'] as const),
  ...(['TEMPORAL_TLS_CA_PATH', 'TEMPORAL_TLS_CERT_PATH', 'TEMPORAL_TLS_KEY_PATH'] as const),
  'TEMPORAL_TLS_SERVER_NAME',
] as const satisfies readonly SettingName[];

type Some<Names extends readonly SettingName[]> = Pick<Settings, Names[number]>;

/** @throws {CertificateError} when a file of it cannot be used, like the two below. */
export const databaseAccess = (settings: Some<typeof DATABASE_SETTINGS>, secrets: Secrets) => ({
  host: settings.DB_HOST,
  port: settings.DB_PORT,
  database: settings.DB_NAME,
  user: settings.DB_USER,
  password: secrets.reader('DB_PASSWORD', settings.DB_PASSWORD),
  connectTimeoutMs: settings.DB_CONNECT_TIMEOUT_MS,
  tls: databaseTls(settings),
});

/** Past the pooler, where there is one. */
export const directDatabaseAccess = (
  settings: Some<typeof DATABASE_SETTINGS> & Pick<Settings, 'DB_DIRECT_HOST' | 'DB_DIRECT_PORT'>,
  secrets: Secrets,
) => ({
  ...databaseAccess(settings, secrets),
  host: settings.DB_DIRECT_HOST ?? settings.DB_HOST,
  port: settings.DB_DIRECT_PORT ?? settings.DB_PORT,
});

/** null: in plain. */
export const databaseTls = (
  settings: Pick<Settings, 'DB_SSLMODE' | 'DB_SSL_CA_PATH' | 'DB_SSL_CERT_PATH' | 'DB_SSL_KEY_PATH'>,
): ClientTls | null =>
  settings.DB_SSLMODE === 'disable'
    ? null
    : openClientTls({
        name: 'database',
        caPath: settings.DB_SSL_CA_PATH,
        certPath: settings.DB_SSL_CERT_PATH,
        keyPath: settings.DB_SSL_KEY_PATH,
        verify: settings.DB_SSLMODE === 'verify-full',
      });

export const brokerAccess = (settings: Some<typeof BROKER_SETTINGS>, secrets: Secrets) => ({
  host: settings.MQTT_HOST,
  port: settings.MQTT_PORT,
  standby:
    settings.MQTT_STANDBY_HOST === undefined
      ? null
      : { host: settings.MQTT_STANDBY_HOST, port: settings.MQTT_STANDBY_PORT ?? settings.MQTT_PORT },
  username: settings.MQTT_USERNAME,
  password: secrets.reader('MQTT_PASSWORD', settings.MQTT_PASSWORD),
  tls: brokerTls(settings),
});

const brokerTls = (settings: Some<typeof BROKER_SETTINGS>): ClientTls | null =>
  settings.MQTT_TLS_ENABLED
    ? openClientTls({
        name: 'mqtt',
        caPath: settings.MQTT_TLS_CA_PATH,
        certPath: settings.MQTT_TLS_CERT_PATH,
        keyPath: settings.MQTT_TLS_KEY_PATH,
        serverName: settings.MQTT_TLS_SERVER_NAME,
        verify: settings.MQTT_TLS_REJECT_UNAUTHORIZED,
      })
    : null;

export const temporalAccess = (settings: Some<typeof TEMPORAL_SETTINGS>, secrets: Secrets) => ({
  address: settings.TEMPORAL_ADDRESS,
  apiKey:
    settings.TEMPORAL_API_KEY === undefined ? null : secrets.reader('TEMPORAL_API_KEY', settings.TEMPORAL_API_KEY),
  tls: temporalTls(settings),
});

const temporalTls = (settings: Some<typeof TEMPORAL_SETTINGS>): ClientTls | null =>
  settings.TEMPORAL_TLS_ENABLED
    ? openClientTls({
        name: 'temporal',
        caPath: settings.TEMPORAL_TLS_CA_PATH,
        certPath: settings.TEMPORAL_TLS_CERT_PATH,
        keyPath: settings.TEMPORAL_TLS_KEY_PATH,
        serverName: settings.TEMPORAL_TLS_SERVER_NAME,
        verify: true,
      })
    : null;
