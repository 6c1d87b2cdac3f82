import { Socket } from 'node:net';
import { connect, type IClientOptions, type MqttClient } from 'mqtt';
import type { Logger } from '../observability/logger';
import type { Registry } from '../observability/metrics';
import { mqttIdentity, type BrokerAddress } from '../tls/mqtt-identity';
import { brokerFigures } from './metrics';
import { brokersOf, type BrokerOfPair, type BrokerOptions, type BrokerPlace } from './pair';
import { RepeatedErrors } from './repeated-errors';

export type { BrokerOptions } from './pair';

export interface SessionOptions {
  /** false: the connection ends for good when it is lost. Default true. */
  readonly reconnect?: boolean;
  /** > 0: the broker keeps our session and its queue for so long while we are away. Default 0: none is kept. */
  readonly sessionExpirySeconds?: number;
  /** Most messages that the broker sends us ahead of our acknowledgements. Default 65,535. */
  readonly receiveMaximum?: number;
}

export interface BrokerContext {
  readonly log: Logger;
  /** Gets the figures of `metrics.ts`; left out by a second connection of one process to the same broker. */
  readonly registry?: Registry;
  /** Shared by connections that follow each other, so that an outage is told once. */
  readonly errors?: RepeatedErrors;
}

export interface BrokerConnection {
  readonly client: MqttClient;
  readonly connected: boolean;
  /** Where it is connected to, or tries to be. */
  readonly address: BrokerAddress;
  /** Asks the broker for an answer; false when none comes in time (default 2,000 ms). Never rejects. */
  probe(withinMs?: number): Promise<boolean>;
  /** Says goodbye, and hangs up when the broker does not answer within `withinMs` (default 500). Never rejects. */
  close(withinMs?: number): Promise<void>;
}

/** A hung broker is noticed after 1.5 times this, s (5 s took 7.9 s, 2 s takes 3.4 s). */
const KEEPALIVE_SECONDS = 2;
const CONNECT_TIMEOUT_MS = 2_000;
const RECONNECT_MS = 200;
const PROBE_WITHIN_MS = 2_000;
const CLOSE_WITHIN_MS = 500;
/** 142: somebody else connected with our client id. */
const SESSION_TAKEN_OVER = 142;

/**
 * Opens a connection (MQTT 5) and keeps it: the name is resolved anew at each attempt, attempts come each 200 ms with
 * jitter, so that replicas do not come back in step. With a standby each attempt goes to the next of the two brokers,
 * and it stays where it got in. Returns at once; being connected is told by `connected` and the client's events.
 */
export function connectToBroker(
  options: BrokerOptions,
  session: SessionOptions,
  context: BrokerContext,
): BrokerConnection {
  const route = new Route(options);
  const client = connect(clientOptions(route.current, session));
  observe(client, route, context);
  return {
    client,
    get connected() {
      return client.connected;
    },
    get address() {
      return route.current;
    },
    probe: (withinMs = PROBE_WITHIN_MS) => probe(client, withinMs),
    close: (withinMs = CLOSE_WITHIN_MS) => close(client, withinMs),
  };
}

/** The brokers in turn. */
class Route {
  current: BrokerOfPair;
  private readonly others: BrokerOfPair[];
  readonly places: readonly BrokerPlace[];

  constructor(options: BrokerOptions) {
    const [first, ...others] = brokersOf(options);
    this.current = first;
    this.others = others;
    this.places = [first, ...others].map(({ place }) => place);
  }

  turn(): void {
    const next = this.others.shift();
    if (next === undefined) return;
    this.others.push(this.current);
    this.current = next;
  }
}

/** About 200 ms, never twice the same. */
export const reconnectDelayMs = (): number => Math.round(RECONNECT_MS * (0.75 + Math.random() / 2));

function clientOptions(options: BrokerOptions, session: SessionOptions): IClientOptions {
  const { sessionExpirySeconds = 0 } = session;
  return {
    ...mqttIdentity(options),
    clientId: options.clientId,
    protocolVersion: 5,
    keepalive: KEEPALIVE_SECONDS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    reconnectPeriod: session.reconnect === false ? 0 : reconnectDelayMs(),
    // A broker that is starting or full refuses for a while; that must not end the connection for good.
    reconnectOnConnackError: session.reconnect !== false,
    resubscribe: false,
    clean: sessionExpirySeconds === 0,
    properties: {
      sessionExpiryInterval: sessionExpirySeconds,
      ...(session.receiveMaximum === undefined ? {} : { receiveMaximum: session.receiveMaximum }),
    },
    // A dozen calls per message that would only find out that nobody listens.
    log: () => undefined,
  };
}

function observe(client: MqttClient, route: Route, context: BrokerContext): void {
  const { log, registry, errors = new RepeatedErrors() } = context;
  const where = () => ({ mqttHost: route.current.host, mqttPort: route.current.port });
  const figures = registry === undefined ? null : brokerFigures(registry);
  let wasConnected = false;
  for (const place of route.places) figures?.expect(place);
  client.on('connect', ({ sessionPresent }) => {
    wasConnected = true;
    errors.forget();
    figures?.reach(route.current.place);
    if (client.stream instanceof Socket) client.stream.setNoDelay(true);
    log.info({ ...where(), sessionPresent }, 'connected to the broker');
  });
  client.on('reconnect', () => {
    route.turn();
    Object.assign(client.options, mqttIdentity(route.current), { reconnectPeriod: reconnectDelayMs() });
    log.debug(where(), 'connecting to the broker again');
  });
  client.on('disconnect', ({ reasonCode }) => {
    if (reasonCode === SESSION_TAKEN_OVER)
      log.error({ ...where(), clientId: client.options.clientId }, 'another client connected with our client id');
    else log.warn({ ...where(), reasonCode }, 'the broker ends the connection');
  });
  client.on('error', (err) => {
    const repeated = errors.count(err.message);
    if (repeated !== null) log.warn({ ...where(), err, repeated }, 'the broker connection failed');
  });
  client.on('close', () => {
    if (!wasConnected) return;
    wasConnected = false;
    if (client.disconnecting) {
      figures?.leave(route.current.place);
      log.info(where(), 'disconnected from the broker');
    } else {
      figures?.lose(route.current.place);
      log.warn(where(), 'lost the broker');
    }
  });
}

function probe(client: MqttClient, withinMs: number): Promise<boolean> {
  if (!client.connected) return Promise.resolve(false);
  return new Promise((resolve) => {
    const settle = (answered: boolean): void => {
      clearTimeout(timer);
      client.off('packetreceive', look);
      client.off('close', lost);
      resolve(answered);
    };
    const look = ({ cmd }: { cmd: string }): void => {
      if (cmd === 'pingresp') settle(true);
    };
    const lost = (): void => {
      settle(false);
    };
    const timer = setTimeout(lost, withinMs);
    client.on('packetreceive', look);
    client.on('close', lost);
    client.sendPing();
  });
}

/** mqtt.js waits for the broker's answers without bound; after `withinMs` the socket is destroyed under it. */
async function close(client: MqttClient, withinMs: number): Promise<void> {
  const hangUp = setTimeout(() => client.stream.destroy(), withinMs);
  // What is in flight would make a graceful end wait for its acknowledgement: it is given up.
  client.outgoing = {};
  await client.endAsync(!client.connected).catch(() => undefined); // fails only when ended before
  clearTimeout(hangUp);
}
