import { setTimeout as sleep } from 'node:timers/promises';
import { v4 as uuidv4, v5 as uuidv5 } from 'uuid';
import { emergencyStopMessage, parseEmergencyStop, type HeldEmergencyStop } from '../contracts/emergency-stop';
import { isRefusal } from '../contracts/envelope';
import { parseSetpoint, setpointMessage, type ReceivedSetpoint } from '../contracts/setpoint';
import { DEVICE_TYPES, ID_PATTERN, topics, type Topics } from '../contracts/topics';
import type { DeviceToStop } from '../domain/emergency-stop';
import { DermsError } from '../domain/errors';
import { setpointTtlSeconds } from '../domain/setpoint-life';
import type { Logger } from '../observability/logger';
import { connectToBroker, type BrokerConnection, type BrokerOptions } from './connection';
import type { OutgoingMessage } from './publish-run';
import { brokersOf } from './pair';
import { openPairPublisher, type PairPublisher } from './pair-publisher';
import type { SetpointPublisher } from './setpoint-publisher';

export interface FleetStopOrder {
  readonly stop: HeldEmergencyStop;
  /** A device told zero falls to its default after this, unless a control loop renews it meanwhile, s. */
  readonly zeroValidSeconds: number;
  /** The broker and the devices are listened to for this long after the first, s. */
  readonly listenSeconds: number;
}

export interface FleetStopReport {
  /** Devices that the broker has the safe setpoint of. */
  readonly told: number;
  /** Devices it was not acknowledged for, by id. */
  readonly untold: readonly string[];
  /** Brokers (`host:port`) that were not there: they do not hold the stop. */
  readonly missed: readonly string[];
}

/** A stop on its way to the devices, straight through the broker. */
export interface FleetStop {
  /** The devices that the registry knows, as soon as that can be read. */
  tell(devices: readonly DeviceToStop[]): void;
  /** The stop is held by the broker, and those heard of at once are told. Rejects when the broker does not take it. */
  readonly first: Promise<FleetStopReport>;
  /** Devices that were heard later are told, too. Never before `first`. */
  readonly done: Promise<FleetStopReport>;
}

/**
 * A stop must not end by itself while people are at work and nothing of ours runs that would renew it, s. The loops'
 * own setpoints take its place as soon as they plan.
 */
export const ZERO_VALID_SECONDS = 3_600;
/** Expiry says the same as the message. */
const DEFAULT_VALID_SECONDS = setpointTtlSeconds(0);
/** Devices that report less often than this are told by the control loops. */
const LISTEN_SECONDS = 30;
const CONNECT_WITHIN_MS = 5_000;
/** The other broker of a pair gets this long more than the first one took, ms. */
const OTHER_WITHIN_MS = 1_000;
const LOOK_EVERY_MS = 25;
/** What the broker retains comes in one go: silence of this long after the last one is the end, ms. */
const QUIET_MS = 500;
const FIRST_WITHIN_MS = 4_000;
const ACKNOWLEDGED_WITHIN_MS = 3_000;
/** A last command of a device whose default nobody here knows is left so much, s: then the device falls to its default. */
const LAPSE_SECONDS = 10;
/** The longest that MQTT 5 knows; a stop is held until it is lifted. */
const HELD_SECONDS = 0xffff_ffff;
const ALLOCATOR = 'emergency-stop';

/**
 * Stops a fleet without Postgres and without Temporal: the broker is given the stop to hold, and each device its safe
 * setpoint: those that the broker retains a setpoint of, those that speak meanwhile, those that the caller names.
 * Another setpoint that arrives while we listen is answered with ours, until the broker holds another stop or none: one
 * that was lifted or replaced has nothing to say any more. Of a pair, both brokers that are there.
 */
export function stopFleet(
  broker: BrokerOptions & { readonly prefix: string },
  order: FleetStopOrder,
  log: Logger,
): FleetStop {
  const run = new FleetStopRun(broker, order, log);
  const done = run.work();
  done.catch(() => undefined); // told by `first`
  return {
    tell: (devices) => {
      run.tell(devices);
    },
    first: run.first,
    done,
  };
}

/** What stops a fleet and lifts a stop, over connections of their own that last as long as it takes. */
export const openEmergencyBroker = (broker: BrokerOptions & { readonly prefix: string }, log: Logger) => ({
  stopFleet: (stop: HeldEmergencyStop): FleetStop =>
    stopFleet(
      { ...broker, clientId: `${broker.clientId}-${stop.stopId}` },
      { stop, zeroValidSeconds: ZERO_VALID_SECONDS, listenSeconds: LISTEN_SECONDS },
      log,
    ),
  /** Takes the copies of a lifted stop away at the brokers that are there. @throws {DermsError} BROKER_UNAVAILABLE */
  async clearStop(): Promise<void> {
    const publisher = openPairPublisher({ ...broker, clientId: `${broker.clientId}-lift-${uuidv4()}` }, { log });
    try {
      await allConnected(publisher);
      await publisher.clearRetained(topics(broker.prefix).emergencyStop);
    } finally {
      await publisher.close();
    }
  },
});

/** Resolves with the first of them that is connected, when the others had their moment too; or when none is in time. */
async function allConnected({ brokers }: PairPublisher): Promise<void> {
  const connected = brokers.map(({ publisher }) => publisher);
  if (await within(CONNECT_WITHIN_MS, () => connected.some((each) => each.connected)))
    await within(OTHER_WITHIN_MS, () => connected.every((each) => each.connected));
}

async function within(ms: number, isSo: () => boolean): Promise<boolean> {
  const until = performance.now() + ms;
  while (!isSo() && performance.now() < until) await sleep(LOOK_EVERY_MS);
  return isSo();
}

type Known = Pick<DeviceToStop, 'deviceType' | 'deviceId'> & Partial<DeviceToStop>;

class FleetStopRun {
  readonly first: Promise<FleetStopReport>;
  private firstDone!: { resolve(report: FleetStopReport): void; reject(error: unknown): void };
  private readonly topics: Topics;
  private readonly devices = new Map<string, Known>();
  private readonly lastCommands = new Map<string, ReceivedSetpoint>();
  private readonly toTell = new Set<string>();
  private readonly told = new Set<string>();
  private lastHeardAt = 0;
  private isReplaced = false;
  private missed: readonly string[] = [];

  constructor(
    private readonly broker: BrokerOptions & { readonly prefix: string },
    private readonly order: FleetStopOrder,
    private readonly log: Logger,
  ) {
    this.topics = topics(broker.prefix);
    this.first = new Promise((resolve, reject) => {
      this.firstDone = { resolve, reject };
    });
  }

  tell(devices: readonly DeviceToStop[]): void {
    for (const device of devices) this.hear(device, true);
  }

  async work(): Promise<FleetStopReport> {
    const ears = brokersOf({ ...this.broker, clientId: `${this.broker.clientId}-ears` }).map((broker) =>
      connectToBroker(broker, {}, { log: this.log }),
    );
    const publisher = openPairPublisher(this.broker, { log: this.log });
    try {
      await this.latch(publisher);
      await this.listen(ears);
      const startedAt = performance.now();
      await this.publishUntil(publisher, () => {
        const now = performance.now();
        return now - startedAt > FIRST_WITHIN_MS || (now - this.lastHeardAt > QUIET_MS && this.toTell.size === 0);
      });
      this.firstDone.resolve(this.report());
      const until = startedAt + this.order.listenSeconds * 1000;
      await this.publishUntil(publisher, () => performance.now() > until);
      return this.report();
    } catch (error) {
      this.firstDone.reject(error);
      throw error;
    } finally {
      await Promise.all([...ears, publisher].map((each) => each.close()));
    }
  }

  /** Held by one broker is engaged: the workers publish nothing at either. */
  private async latch(publisher: PairPublisher): Promise<void> {
    await allConnected(publisher);
    const message = {
      key: 'stop',
      topic: this.topics.emergencyStop,
      payload: JSON.stringify(emergencyStopMessage(this.order.stop)),
      expirySeconds: HELD_SECONDS,
    };
    const outcomes = await Promise.all(publisher.brokers.map((broker) => this.publish(broker.publisher, [message])));
    const faults = outcomes.map(({ failed }) => failed[0]?.reason ?? null);
    this.missed = publisher.brokers.filter((_, index) => faults[index] !== null).map(({ name }) => name);
    if (this.missed.length === publisher.brokers.length) {
      const reasons = faults.join('; ');
      throw new DermsError('BROKER_UNAVAILABLE', `the broker does not take the emergency stop: ${reasons}`);
    }
  }

  private async listen(ears: readonly BrokerConnection[]): Promise<void> {
    const heard = ears.map((connection) => {
      connection.client.on('message', (topic, payload) => {
        if (topic === this.topics.emergencyStop) {
          this.isReplaced ||= !this.isOurs(payload);
          return;
        }
        const [kind, deviceType, deviceId] = topic.slice(this.broker.prefix.length + 1).split('/');
        const device = deviceOf(deviceType, deviceId);
        if (device === null) return;
        if (kind === 'telemetry') this.hear(device, false);
        else this.hearSetpoint(device, payload);
      });
      return this.subscribe(connection);
    });
    const lets = await Promise.all(heard);
    if (!lets.includes(true))
      throw new DermsError('BROKER_UNAVAILABLE', 'the broker does not let us hear which devices there are');
    this.lastHeardAt = performance.now();
  }

  private isOurs(payload: Buffer): boolean {
    if (payload.length === 0) return false;
    const held = parseEmergencyStop(payload);
    return !isRefusal(held) && held.stopId === this.order.stop.stopId;
  }

  /** false: this broker is away, or does not let us hear. */
  private async subscribe({ client }: BrokerConnection): Promise<boolean> {
    const waitMs = this.missed.length > 0 ? OTHER_WITHIN_MS : CONNECT_WITHIN_MS;
    if (!(await within(waitMs, () => client.connected))) return false;
    const { emergencyStop, setpointsFilter, telemetryFilter } = this.topics;
    // One that hangs from here on is noticed by its keepalive, and holds nobody up.
    const wanted = [emergencyStop, setpointsFilter, telemetryFilter];
    const granted = await client.subscribeAsync(wanted, { qos: 1 }).catch(() => []);
    return granted.length > 0 && granted.every(({ qos }) => qos <= 1);
  }

  private hear(device: Known, fromRegistry: boolean): void {
    const key = keyOf(device);
    const known = this.devices.get(key);
    if (known !== undefined && !fromRegistry) return;
    this.devices.set(key, { ...known, ...device });
    this.lastHeardAt = performance.now();
    this.toTell.add(key);
  }

  private hearSetpoint(device: Known, payload: Buffer): void {
    const setpoint = parseSetpoint(payload);
    if (isRefusal(setpoint) || setpoint.correlationId === this.order.stop.stopId) return;
    const key = keyOf(device);
    this.lastCommands.set(key, setpoint);
    const safe = this.messageFor({ ...device, ...this.devices.get(key) }, Date.now());
    if (safe !== null && safe.payload.command.targetPowerKw === setpoint.targetPowerKw && this.told.has(key)) return;
    this.devices.set(key, { ...device, ...this.devices.get(key) });
    this.lastHeardAt = performance.now();
    this.toTell.add(key);
  }

  private async publishUntil(publisher: PairPublisher, isOver: () => boolean): Promise<void> {
    while (!this.isReplaced && !isOver()) {
      await this.publishWaiting(publisher);
      await sleep(LOOK_EVERY_MS);
    }
  }

  private async publishWaiting(publisher: PairPublisher): Promise<void> {
    const keys = [...this.toTell];
    if (keys.length === 0) return;
    this.toTell.clear();
    const nowMs = Date.now();
    const messages = keys.flatMap((key): OutgoingMessage[] => {
      const device = this.devices.get(key);
      const message = device === undefined ? null : this.messageFor(device, nowMs);
      if (message === null) return [];
      const expirySeconds = Math.max(1, Math.floor((message.payload.command.validUntilMs - nowMs) / 1000));
      const topic = this.topics.setpoint(message.deviceType, message.deviceId);
      return [{ key, topic, payload: JSON.stringify(message), expirySeconds }];
    });
    const { acknowledged, failed } = await this.publish(publisher, messages);
    for (const key of acknowledged) this.told.add(key);
    for (const { key } of failed) this.toTell.add(key);
  }

  private async publish(publisher: SetpointPublisher, messages: readonly OutgoingMessage[]) {
    const signal = AbortSignal.timeout(ACKNOWLEDGED_WITHIN_MS);
    try {
      return await publisher.publish(messages, { signal, mayStillPublish: () => true });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return { acknowledged: [], failed: messages.map(({ key }) => ({ key, reason })) };
    }
  }

  /** null: it holds no command of ours, so that it is at its default by itself. */
  private messageFor({ deviceType, deviceId, sign = null, safeKw }: Known, nowMs: number) {
    const { stop, zeroValidSeconds } = this.order;
    const last = this.lastCommands.get(`${deviceType}/${deviceId}`);
    // Newer than what it replaces, though this machine's clock be behind.
    const timestampMs = Math.max(nowMs, (last?.timestampMs ?? 0) + 1);
    const common = {
      ...{ messageId: uuidv5(`${deviceId} ${String(nowMs)}`, stop.stopId), planId: stop.stopId, deviceType, deviceId },
      ...{ sign, timestampMs, rampKwPerS: null, allocator: ALLOCATOR, notes: stop.reason },
    };
    if (stop.safeState === 'zero')
      return setpointMessage({ ...common, targetKw: 0, validUntilMs: nowMs + zeroValidSeconds * 1000 });
    if (safeKw !== undefined && safeKw !== null)
      return setpointMessage({ ...common, targetKw: safeKw, validUntilMs: nowMs + DEFAULT_VALID_SECONDS * 1000 });
    if (last === undefined) return null;
    const validUntilMs = Math.min(last.validUntilMs, nowMs + LAPSE_SECONDS * 1000);
    const message = setpointMessage({ ...common, targetKw: 0, validUntilMs });
    const command = { targetPowerKw: last.targetPowerKw, mode: last.mode, validUntilMs };
    return { ...message, payload: { ...message.payload, command } };
  }

  private report(): FleetStopReport {
    const untold = [...this.devices].flatMap(([key, device]) =>
      this.told.has(key) || this.messageFor(device, Date.now()) === null ? [] : [device.deviceId],
    );
    return { told: this.told.size, untold, missed: this.missed };
  }
}

const keyOf = ({ deviceType, deviceId }: Pick<DeviceToStop, 'deviceType' | 'deviceId'>): string =>
  `${deviceType}/${deviceId}`;

function deviceOf(deviceType: string | undefined, deviceId: string | undefined): Known | null {
  const known = DEVICE_TYPES.find((type) => type === deviceType);
  return known === undefined || deviceId === undefined || !ID_PATTERN.test(deviceId)
    ? null
    : { deviceType: known, deviceId };
}
