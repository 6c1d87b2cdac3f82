import type { Settings } from './schema';

type SomeSettings = Partial<Settings>;

/** The certificate and the key of one connection: one without the other is a mistake. */
const PAIRS = [
  ['TLS_CERT_PATH', 'TLS_KEY_PATH'],
  ['DB_SSL_CERT_PATH', 'DB_SSL_KEY_PATH'],
  ['MQTT_TLS_CERT_PATH', 'MQTT_TLS_KEY_PATH'],
  ['TEMPORAL_TLS_CERT_PATH', 'TEMPORAL_TLS_KEY_PATH'],
] as const;
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[?::1\]?)$|^\//;

/** What is wrong with how the connections are protected; in production also what is too little. */
export function transportFaults(settings: SomeSettings, environment: NodeJS.ProcessEnv): readonly string[] {
  const faults = PAIRS.flatMap(([cert, key]) => {
    if ((settings[cert] === undefined) === (settings[key] === undefined)) return [];
    const [missing, given] = settings[cert] === undefined ? [cert, key] : [key, cert];
    return [`${missing}: is required with ${given}`];
  });
  if (settings.TLS_ENABLED === true && settings.TLS_CERT_PATH === undefined && settings.TLS_KEY_PATH === undefined)
    faults.push('TLS_CERT_PATH: is required with TLS_ENABLED=true', 'TLS_KEY_PATH: is required with TLS_ENABLED=true');
  if (settings.TEMPORAL_API_KEY !== undefined && settings.TEMPORAL_TLS_ENABLED !== true)
    faults.push('TEMPORAL_TLS_ENABLED: must be true with TEMPORAL_API_KEY, which would travel in plain');
  if (settings.MQTT_STANDBY_PORT !== undefined && settings.MQTT_STANDBY_HOST === undefined)
    faults.push('MQTT_STANDBY_HOST: is required with MQTT_STANDBY_PORT');
  return environment['NODE_ENV'] === 'production' ? [...faults, ...productionFaults(settings, environment)] : faults;
}

/** A setting that a program does not name counts as unsafe: what it does not know it cannot keep. */
function productionFaults(settings: SomeSettings, environment: NodeJS.ProcessEnv): readonly string[] {
  const faults: string[] = [];
  if (environment['NODE_TLS_REJECT_UNAUTHORIZED'] === '0')
    faults.push('NODE_TLS_REJECT_UNAUTHORIZED: 0 switches off every check of certificates; production refuses it');
  if ([settings.DB_HOST, settings.DB_DIRECT_HOST].some(isRemote) && settings.DB_SSLMODE !== 'verify-full')
    faults.push('DB_SSLMODE: production needs verify-full for a server that is not on loopback');
  if (settings.RESTORE_TARGET_URL !== undefined && isPlainAndRemote(new URL(settings.RESTORE_TARGET_URL)))
    faults.push('RESTORE_TARGET_URL: production needs sslmode=verify-full for a server that is not on loopback');
  if (settings.QUARANTINE === true) return faults; // knows no broker and no Temporal
  if (settings.MQTT_HOST !== undefined && settings.MQTT_TLS_ENABLED !== true)
    faults.push('MQTT_TLS_ENABLED: production refuses a plain connection to the broker');
  if (settings.MQTT_HOST !== undefined && settings.MQTT_TLS_REJECT_UNAUTHORIZED === false)
    faults.push("MQTT_TLS_REJECT_UNAUTHORIZED: production refuses to leave the broker's certificate unchecked");
  if (isRemote(settings.TEMPORAL_ADDRESS?.replace(/:\d+$/, '')) && settings.TEMPORAL_TLS_ENABLED !== true)
    faults.push('TEMPORAL_TLS_ENABLED: production needs true for a server that is not on loopback');
  return faults;
}

const isRemote = (host: string | undefined): boolean => host !== undefined && !LOOPBACK.test(host);

const isPlainAndRemote = ({ hostname, searchParams }: URL): boolean =>
  isRemote(hostname) && searchParams.get('sslmode') !== 'verify-full';
