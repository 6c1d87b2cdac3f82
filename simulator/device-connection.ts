import { connect, type IClientOptions, type MqttClient } from 'mqtt';
import { setpointDelivery } from '../contracts/setpoint';
import { telemetryDelivery } from '../contracts/telemetry';
import type { Logger } from '../observability/logger';
import { mqttCredentials, type BrokerAddress, type MqttAccess } from '../tls/mqtt-identity';
import { pauseMs, type AgentTiming } from './agent-timing';
import { Outbox, type OutgoingMessage } from './outbox';

export type { BrokerAddress } from '../tls/mqtt-identity';

export interface ConnectionOptions extends Omit<MqttAccess, 'host' | 'port'> {
  readonly clientId: string;
  /** The first is tried first; with more than one each attempt goes to the next. */
  readonly brokers: readonly BrokerAddress[];
  readonly subscriptions: readonly string[];
  /** Messages kept while the broker is away. */
  readonly outboxLimit: number;
  readonly timing: AgentTiming;
  readonly log: Logger;
  readonly onMessage: (topic: string, payload: Buffer) => void;
  /** `brokerIndex`: which of the brokers took it over. */
  readonly onAcknowledged: (message: OutgoingMessage, brokerIndex: number) => void;
  /** Up = connected and subscribed. */
  readonly onUpOrDown: (up: boolean) => void;
}

/** Unacknowledged messages of one connection; the rest waits in the outbox, where it is bounded. */
const WINDOW = 100;
const CONNECT_TIMEOUT_MS = 3_000;
const LOOK_EVERY_MS = 500;

/**
 * One MQTT connection of a few devices, as an agent in the field keeps it: MQTT 3.1.1, QoS 1, no session at the broker
 * (the retained setpoint is all it needs to catch up), its own outbox for what the broker cannot take now.
 */
export class DeviceConnection {
  private readonly outbox: Outbox;
  private client: MqttClient | null = null;
  private inFlight = 0;
  private up = false;
  private onLanded: (() => void) | null = null;
  private failedAttempts = 0;
  private watching: NodeJS.Timeout | undefined;
  /** Monotonic, ms: the last sign that the broker takes what we send. */
  private lastTakenAt = 0;
  /** Monotonic, ms: until then one of our devices has a setpoint in force; null before the first. */
  private coveredUntil: number | null = null;
  private lastTurnAt = -Infinity;

  constructor(private readonly options: ConnectionOptions) {
    this.outbox = new Outbox(options.outboxLimit);
  }

  /** Begins to connect and never gives up until `stop`. */
  start(): void {
    const client = connect(this.clientOptions());
    this.client = client;
    this.watching = setInterval(() => {
      this.watch(client);
    }, LOOK_EVERY_MS);
    client.on('connect', () => {
      this.lastTakenAt = performance.now();
      this.subscribe(client, this.options.subscriptions);
    });
    client.on('reconnect', () => {
      this.failedAttempts += 1;
      Object.assign(client.options, this.credentials(), { reconnectPeriod: this.pauseMs() });
    });
    client.on('close', () => {
      this.turn(false);
    });
    client.on('error', (err) => {
      this.options.log.debug({ err, clientId: this.options.clientId }, 'MQTT connection failed');
    });
    client.on('message', this.options.onMessage);
  }

  publish(message: OutgoingMessage): void {
    if (this.outbox.size === 0 && this.canSend()) this.send(message);
    else this.outbox.put(message);
  }

  /** Hears the retained message of a topic once more. */
  refresh(topic: string): void {
    if (this.client !== null && this.up) this.subscribe(this.client, [topic]);
  }

  /** Waits for what is in flight and says goodbye; after `withinMs` without an answer it just hangs up. Never rejects. */
  async stop(withinMs: number): Promise<void> {
    const client = this.client;
    if (client === null) return;
    this.client = null;
    clearInterval(this.watching);
    const deadline = performance.now() + withinMs;
    if (client.connected) await within(this.landed(), withinMs);
    const force = this.inFlight > 0 || !client.connected;
    await within(client.endAsync(force), Math.max(50, deadline - performance.now()));
    client.stream.destroy(); // a broker that hangs does not close its end
    this.turn(false);
  }

  /** One of our devices has taken a setpoint that holds for so long. */
  noteSetpoint(validForMs: number): void {
    this.coveredUntil = Math.max(this.coveredUntil ?? 0, performance.now() + validForMs);
  }

  /** Which of the brokers it is connected and subscribed at; null when at none. */
  get brokerIndex(): number | null {
    return this.client === null || !this.up ? null : this.brokerAtHand();
  }

  /** Messages sent but not acknowledged, that wait for the broker, and that were given up because too many did. */
  get backlog(): { readonly inFlight: number; readonly waiting: number; readonly dropped: number } {
    return { inFlight: this.inFlight, waiting: this.outbox.size, dropped: this.outbox.dropped };
  }

  /** The one that the client is at, or tries. */
  private brokerAtHand(): number {
    const { host, port } = this.client?.options ?? {};
    return this.options.brokers.findIndex((broker) => broker.host === host && broker.port === port);
  }

  private clientOptions(): IClientOptions {
    const { clientId, brokers, timing, tls } = this.options;
    const protocol = tls === undefined || tls === null ? 'mqtt' : 'mqtts';
    return {
      ...this.credentials(),
      servers: brokers.map(({ host, port }) => ({ host, port, protocol })),
      clientId,
      protocolVersion: 4,
      clean: true,
      keepalive: timing.keepaliveSeconds,
      connectTimeout: CONNECT_TIMEOUT_MS,
      reconnectPeriod: this.pauseMs(),
      reconnectOnConnackError: true,
      resubscribe: false, // done by hand, to know when it is done
    };
  }

  /** Each attempt may go to another broker: whose name its certificate must carry is seen then. */
  private credentials(): IClientOptions {
    return mqttCredentials(this.options, '');
  }

  private pauseMs(): number {
    return pauseMs(this.options.timing, this.failedAttempts);
  }

  /** Leaves a broker that answers pings and takes nothing, or through which nobody speaks to us. */
  private watch(client: MqttClient): void {
    if (!client.connected) return;
    const { clientId, log, timing } = this.options;
    const now = performance.now();
    const takesNothing = this.inFlight > 0 && now - this.lastTakenAt > timing.acknowledgedWithinMs;
    const silentForMs = this.coveredUntil === null ? 0 : now - this.coveredUntil;
    const nothingComes =
      silentForMs > timing.nothingComesMs && now - this.lastTurnAt > timing.turnAtMostEachMs * (1 + Math.random() / 4);
    if (!takesNothing && !nothingComes) return;
    this.lastTurnAt = now;
    this.lastTakenAt = now;
    log.info({ clientId, takesNothing, nothingComes }, 'an agent tries the next broker');
    client.stream.destroy();
  }

  /** A refused subscription leaves the connection unready: it is tried again with the next connection. */
  private subscribe(client: MqttClient, subscriptions: readonly string[]): void {
    const { clientId, log } = this.options;
    if (subscriptions.length === 0) {
      this.turn(true);
      return;
    }
    client.subscribe([...subscriptions], { qos: setpointDelivery.qos }, (err) => {
      if (!err) this.turn(true);
      else if (client.connected) log.warn({ err, clientId }, 'the broker refused a subscription');
    });
  }

  private turn(up: boolean): void {
    const wasUp = this.up;
    if (up !== wasUp) {
      this.up = up;
      this.options.onUpOrDown(up);
    }
    if (up && this.client !== null) {
      this.failedAttempts = 0;
      this.client.options.reconnectPeriod = this.pauseMs();
    }
    if (up && !wasUp) this.outbox.newestFirst();
    if (up) this.drain();
  }

  private canSend(): boolean {
    return this.client !== null && this.up && this.inFlight < WINDOW;
  }

  private drain(): void {
    while (this.canSend()) {
      const message = this.outbox.take();
      if (message === undefined) return;
      this.send(message);
    }
  }

  /** What is in flight when the connection breaks is sent again by the client itself once it is back: the same id, the same time. */
  private send(message: OutgoingMessage): void {
    if (this.client === null) return;
    if (this.inFlight === 0) this.lastTakenAt = performance.now();
    this.inFlight += 1;
    this.client.publish(message.topic, message.payload, telemetryDelivery, (err) => {
      this.inFlight -= 1;
      this.lastTakenAt = performance.now();
      if (err) this.options.log.debug({ err, clientId: this.options.clientId }, 'a message was not acknowledged');
      else this.options.onAcknowledged(message, this.brokerAtHand());
      if (this.inFlight === 0) this.onLanded?.();
      this.drain();
    });
  }

  private landed(): Promise<void> {
    return new Promise((resolve) => {
      this.onLanded = resolve;
      if (this.inFlight === 0) resolve();
    });
  }
}

/** Waits for it, but not longer than that. */
async function within(work: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}
