import type { BrokerAddress, MqttAccess } from '../tls/mqtt-identity';

/** Which of the two brokers; also the label of metrics, which never carry addresses. */
export type BrokerPlace = 'primary' | 'standby';

export interface BrokerOptions extends MqttAccess {
  /** `derms-{role}-{INSTANCE_ID}`: stable across restarts, and never used by two processes at once. */
  readonly clientId: string;
  /** A second broker. Left out or null: there is none. */
  readonly standby?: BrokerAddress | null;
  /** Which broker of a pair `host` is, where each has a connection of its own. Default the primary. */
  readonly place?: BrokerPlace;
}

/** One of the brokers that `MQTT_HOST` and `MQTT_STANDBY_HOST` name. */
export type BrokerOfPair<Options extends BrokerOptions = BrokerOptions> = Options & { readonly place: BrokerPlace };

/**
 * Each broker by itself, the primary first; one alone when there is no standby.
 *
 * What must not miss anything (telemetry, setpoints, the emergency stop) is connected to both at all times, so that it
 * does not matter at which of them a device is: docs/decisions/0022.
 */
export function brokersOf<Options extends BrokerOptions>(
  options: Options,
): readonly [BrokerOfPair<Options>, ...BrokerOfPair<Options>[]] {
  const { standby = null, place = 'primary' } = options;
  const first = { ...options, standby: null, place };
  return standby === null ? [first] : [first, { ...first, ...standby, place: 'standby' }];
}
