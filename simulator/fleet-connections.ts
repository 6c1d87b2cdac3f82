import type { Logger } from '../observability/logger';
import { USUAL_TIMING, type AgentTiming } from './agent-timing';
import { DeviceConnection, type BrokerAddress } from './device-connection';
import type { OutgoingMessage } from './outbox';

interface FleetConnectionOptions {
  readonly brokers: readonly BrokerAddress[];
  readonly clientId: string;
  readonly devicesPerConnection?: number;
  readonly outboxLimit?: number;
  /** Where it differs from the usual. */
  readonly timing?: Partial<AgentTiming>;
  readonly log: Logger;
  /** One per device; a device is its place in this list. */
  readonly setpointTopics: readonly string[];
  readonly meters: number;
  readonly profileTopic: string;
  readonly onSetpoint: (deviceIndex: number, payload: Buffer) => void;
  readonly onProfile: (payload: Buffer) => void;
  readonly onAcknowledged: (message: OutgoingMessage, brokerIndex: number) => void;
}

/** Time for what is in flight to land when the fleet stops. */
const STOP_WITHIN_MS = 1_000;

export const connectFleet = (options: FleetConnectionOptions): FleetConnections => new FleetConnections(options);

/**
 * The connections of a fleet: devices share one by the dozen, as behind a gateway, meters have their own.
 *
 * Neighbours in the list share a connection and report one after the other, so that their messages leave together.
 */
export class FleetConnections {
  private readonly perConnection: number;
  private readonly forDevices: readonly DeviceConnection[];
  private readonly forMeters: readonly DeviceConnection[];
  private readonly deviceOf = new Map<string, number>();
  private upCount = 0;
  private wereAllUp = false;
  private stopping = false;
  private settle: ((outcome: 'connected' | 'stopped') => void) | null = null;

  constructor(private readonly options: FleetConnectionOptions) {
    const { setpointTopics, meters, devicesPerConnection = 50, clientId, profileTopic } = options;
    this.perConnection = devicesPerConnection;
    setpointTopics.forEach((topic, index) => this.deviceOf.set(topic, index));
    const groups = Math.ceil(setpointTopics.length / devicesPerConnection);
    const meterGroups = Math.ceil(meters / devicesPerConnection);
    const outboxLimit = Math.ceil((options.outboxLimit ?? 50_000) / Math.max(1, groups + meterGroups));
    const connection = (index: number, id: string, topics: readonly string[]): DeviceConnection =>
      new DeviceConnection({
        ...options,
        clientId: id,
        subscriptions: index === 0 ? [profileTopic, ...topics] : topics,
        outboxLimit,
        timing: { ...USUAL_TIMING, ...options.timing },
        onMessage: (topic, payload) => {
          this.deliver(topic, payload);
        },
        onUpOrDown: (up) => {
          this.count(up);
        },
      });
    this.forDevices = Array.from({ length: groups }, (_, group) => {
      const topics = setpointTopics.slice(group * devicesPerConnection, (group + 1) * devicesPerConnection);
      return connection(group, `${clientId}-${String(group + 1)}`, topics);
    });
    this.forMeters = Array.from({ length: meterGroups }, (_, group) =>
      connection(groups + group, `${clientId}-meters-${String(group + 1)}`, []),
    );
  }

  /** Resolves when all are up for the first time, or when they are stopped before. */
  async start(): Promise<'connected' | 'stopped'> {
    const settled = new Promise<'connected' | 'stopped'>((resolve) => {
      this.settle = resolve;
    });
    for (const connection of this.all()) connection.start();
    return this.all().length === 0 ? 'connected' : settled;
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await Promise.all(this.all().map((connection) => connection.stop(STOP_WITHIN_MS)));
    this.settle?.('stopped');
  }

  publishForDevice(deviceIndex: number, message: OutgoingMessage): void {
    this.forDevices[Math.floor(deviceIndex / this.perConnection)]?.publish(message);
  }

  publishForMeter(meterIndex: number, message: OutgoingMessage): void {
    this.forMeters[Math.floor(meterIndex / this.perConnection)]?.publish(message);
  }

  /** Hears a device's retained setpoint once more. */
  refresh(deviceIndex: number): void {
    const topic = this.options.setpointTopics[deviceIndex];
    if (topic !== undefined) this.forDevices[Math.floor(deviceIndex / this.perConnection)]?.refresh(topic);
  }

  /** A device has taken a setpoint that holds for so long. */
  noteSetpoint(deviceIndex: number, validForMs: number): void {
    this.forDevices[Math.floor(deviceIndex / this.perConnection)]?.noteSetpoint(validForMs);
  }

  state() {
    const all = this.all();
    const sum = (of: 'inFlight' | 'waiting' | 'dropped'): number =>
      all.reduce((total, { backlog }) => total + backlog[of], 0);
    return {
      inFlight: sum('inFlight'),
      waiting: sum('waiting'),
      dropped: sum('dropped'),
      connections: all.length,
      connectionsUp: this.upCount,
      connectionsAt: this.options.brokers.map((_, index) => all.filter((each) => each.brokerIndex === index).length),
    };
  }

  private deliver(topic: string, payload: Buffer): void {
    if (topic === this.options.profileTopic) {
      this.options.onProfile(payload);
      return;
    }
    const device = this.deviceOf.get(topic);
    if (device !== undefined) this.options.onSetpoint(device, payload);
  }

  /** One line when the last connection comes up and one when the first breaks, not one for each. */
  private count(up: boolean): void {
    const { brokers, log } = this.options;
    this.upCount += up ? 1 : -1;
    const { connectionsAt } = this.state();
    const most = brokers[connectionsAt.indexOf(Math.max(...connectionsAt))];
    const where = { mqttHost: most?.host, mqttPort: most?.port, connections: this.all().length, connectionsAt };
    const allUp = this.upCount === this.all().length;
    if (allUp && !this.wereAllUp) {
      log.info(where, 'the fleet is connected');
      this.settle?.('connected');
    }
    if (!allUp && this.wereAllUp && !this.stopping) log.warn(where, 'the fleet is losing its broker');
    this.wereAllUp = allUp;
  }

  private all(): readonly DeviceConnection[] {
    return [...this.forDevices, ...this.forMeters];
  }
}
