import type { Settings } from './schema';

type CertificateSetting =
  | 'TLS_CERT_PATH'
  | 'TLS_KEY_PATH'
  | 'DB_SSL_CA_PATH'
  | 'DB_SSL_CERT_PATH'
  | 'DB_SSL_KEY_PATH'
  | 'MQTT_TLS_CA_PATH'
  | 'MQTT_TLS_CERT_PATH'
  | 'MQTT_TLS_KEY_PATH'
  | 'TEMPORAL_TLS_CA_PATH'
  | 'TEMPORAL_TLS_CERT_PATH'
  | 'TEMPORAL_TLS_KEY_PATH';

const FILES = [
  ['api', 'TLS_CERT_PATH', 'TLS_KEY_PATH'],
  ['database-ca', 'DB_SSL_CA_PATH', null],
  ['database-client', 'DB_SSL_CERT_PATH', 'DB_SSL_KEY_PATH'],
  ['mqtt-ca', 'MQTT_TLS_CA_PATH', null],
  ['mqtt-client', 'MQTT_TLS_CERT_PATH', 'MQTT_TLS_KEY_PATH'],
  ['temporal-ca', 'TEMPORAL_TLS_CA_PATH', null],
  ['temporal-client', 'TEMPORAL_TLS_CERT_PATH', 'TEMPORAL_TLS_KEY_PATH'],
] as const;

/** The certificate files that these settings name, by what they are for. */
export const certificateFiles = (settings: Partial<Pick<Settings, CertificateSetting>>) =>
  FILES.flatMap(([certificate, cert, key]) => {
    const certPath = settings[cert];
    return certPath === undefined ? [] : [{ certificate, certPath, keyPath: key === null ? undefined : settings[key] }];
  });
