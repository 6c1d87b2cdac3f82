import { isIP } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import type { IClientOptions } from 'mqtt';
import { OLDEST_TLS, type ClientTls } from './client-tls';

export interface BrokerAddress {
  readonly host: string;
  readonly port: number;
}

/** How a broker is reached, and as whom. */
export interface MqttAccess extends BrokerAddress {
  readonly username?: string | undefined;
  /** A function is asked for each attempt to connect: the password may have changed. */
  readonly password?: string | (() => string | undefined) | undefined;
  /** Left out or null: in plain. */
  readonly tls?: ClientTls | null;
}

/** As mqtt.js takes it, with password and certificates as they are now. */
export const mqttIdentity = ({ host, port, ...credentials }: MqttAccess): IClientOptions => ({
  host,
  hostname: host, // what mqtt.js dials, and keeps from its first attempt
  port,
  ...mqttCredentials(credentials, host),
});

/** The same without the address; an empty `host` lets mqtt.js ask for the name that it connects to. */
export function mqttCredentials(
  { username, password, tls }: Omit<MqttAccess, 'host' | 'port'>,
  host: string,
): IClientOptions {
  const current = typeof password === 'function' ? password() : password;
  return {
    ...(username === undefined ? {} : { username }),
    ...(current === undefined ? {} : { password: current }),
    ...(tls === undefined || tls === null ? { protocol: 'mqtt' } : { protocol: 'mqtts', ...tlsOf(tls, host) }),
  };
}

function tlsOf(tls: ClientTls, host: string): IClientOptions & Pick<SecureContextOptions, 'minVersion'> {
  const name = tls.serverName ?? host;
  return {
    ...tls.material(),
    minVersion: OLDEST_TLS,
    rejectUnauthorized: tls.verify,
    // An address is no name to ask for (RFC 6066); the certificate is held against it all the same. Empty rather than
    // left out: the attempt before this one may have gone to a name.
    servername: isIP(name) === 0 ? name : '',
  };
}
