import { loadSettings, loadSomeSettings } from '../../../config/load';

const SAFE = {
  NODE_ENV: 'production',
  DB_HOST: 'db.example',
  DB_PASSWORD: 'of-the-test',
  DB_SSLMODE: 'verify-full',
  MQTT_HOST: 'broker.example',
  MQTT_PORT: '8883',
  MQTT_TLS_ENABLED: 'true',
  TEMPORAL_ADDRESS: 'temporal.example:7233',
  TEMPORAL_TLS_ENABLED: 'true',
};
const load = (environment: NodeJS.ProcessEnv) => () => loadSettings({ ...SAFE, ...environment }, 'no.env');

describe('in production', () => {
  it('protected connections are taken', () => {
    expect(load({})).not.toThrow();
  });

  it.each([
    [{ MQTT_TLS_ENABLED: 'false' }, 'MQTT_TLS_ENABLED: production refuses a plain connection to the broker'],
    [{ MQTT_TLS_ENABLED: 'false', MQTT_HOST: '127.0.0.1' }, 'MQTT_TLS_ENABLED: production refuses a plain connection'],
    [{ MQTT_TLS_REJECT_UNAUTHORIZED: 'false' }, 'MQTT_TLS_REJECT_UNAUTHORIZED: production refuses to leave'],
    [{ DB_SSLMODE: 'disable' }, 'DB_SSLMODE: production needs verify-full'],
    [{ DB_SSLMODE: 'require' }, 'DB_SSLMODE: production needs verify-full'],
    [
      { DB_DIRECT_HOST: 'db-direct.example', DB_HOST: '127.0.0.1', DB_SSLMODE: 'disable' },
      'DB_SSLMODE: production needs',
    ],
    [{ TEMPORAL_TLS_ENABLED: 'false' }, 'TEMPORAL_TLS_ENABLED: production needs true'],
    [{ NODE_TLS_REJECT_UNAUTHORIZED: '0' }, 'NODE_TLS_REJECT_UNAUTHORIZED: 0 switches off every check'],
    [{ RESTORE_TARGET_URL: 'postgres://u:p@db.example/x' }, 'RESTORE_TARGET_URL: production needs sslmode=verify-full'],
  ])('%o stops the process', (environment, message) => {
    expect(load(environment)).toThrow(message);
  });

  it('database and Temporal on loopback, beside the process, may be plain', () => {
    const beside = { DB_HOST: '127.0.0.1', DB_SSLMODE: 'disable', TEMPORAL_ADDRESS: 'localhost:7233' };

    expect(load({ ...beside, TEMPORAL_TLS_ENABLED: 'false' })).not.toThrow();
  });

  it('a program that does not ask for TLS at all is refused too', () => {
    const careless = () => loadSomeSettings(['MQTT_HOST', 'MQTT_PORT'], SAFE, 'no.env');

    expect(careless).toThrow('MQTT_TLS_ENABLED: production refuses a plain connection to the broker');
  });
});

describe('everywhere', () => {
  it.each([
    [{ TLS_ENABLED: 'true' }, /TLS_CERT_PATH: is required with TLS_ENABLED=true\n {2}TLS_KEY_PATH: is required/],
    [{ TLS_ENABLED: 'true', TLS_CERT_PATH: '/x.crt' }, /TLS_KEY_PATH: is required with TLS_CERT_PATH/],
    [{ MQTT_TLS_KEY_PATH: '/x.key' }, /MQTT_TLS_CERT_PATH: is required with MQTT_TLS_KEY_PATH/],
    [
      { TEMPORAL_API_KEY: 'k', TEMPORAL_TLS_ENABLED: 'false' },
      /TEMPORAL_TLS_ENABLED: must be true with TEMPORAL_API_KEY/,
    ],
  ])('%o is refused', (environment, message) => {
    expect(load({ ...environment, NODE_ENV: 'development' })).toThrow(message);
  });
});
