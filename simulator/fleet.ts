import { isRefusal } from '../contracts/envelope';
import type { RegistryFile } from '../contracts/registry-file';
import { parseSetpoint } from '../contracts/setpoint';
import { parseSimulationProfile, type SimulationProfile } from '../contracts/simulation-profile';
import { topics } from '../contracts/topics';
import type { DeviceType } from '../domain/fleet';
import type { Logger } from '../observability/logger';
import type { AgentTiming } from './agent-timing';
import { drawFaults, type Behaviour, type FaultCounts } from './behaviour';
import { connectFleet, type FleetConnections } from './fleet-connections';
import type { BrokerAddress } from './device-connection';
import { FleetRecord, type FleetCounts, type RecordedReading, type RecordedSetpoint } from './fleet-record';
import { measurementWriter, telemetryWriter } from './messages';
import { ReportSchedule } from './report-schedule';
import type { SetpointInForce, SimulatedDevice } from './simulated-device';
import { readSimulation, type Simulation } from './simulation-section';
import { World, type FlowExtremes } from './world';

export interface FleetOptions {
  /** Feeders and devices, and in its part `simulation` how they behave. */
  readonly registry: RegistryFile;
  /** Wins over what the registry says; see `simulation-section.ts` for units and defaults. */
  readonly simulation?: Partial<Pick<Simulation, 'seed' | 'speed' | 'timeOfDay' | 'day' | 'intervalSeconds'>>;
  /** How many devices misbehave in which way, drawn by the seed. */
  readonly faults?: Partial<FaultCounts>;
  /** More than one: the others are the secondary brokers. */
  readonly brokers: readonly BrokerAddress[];
  readonly topicPrefix: string;
  /** Begins the client id of each connection: two fleets at one broker need two. */
  readonly clientId: string;
  /** Default 50. */
  readonly devicesPerConnection?: number;
  /** Messages that the whole fleet keeps while the broker is away; default 50,000. */
  readonly outboxLimit?: number;
  /** How patient its agents are with a broker, where it differs from the usual. */
  readonly timing?: Partial<AgentTiming>;
  /** Keeps every acknowledged reading or every setpoint heard, for tests: memory grows with time. */
  readonly record?: { readonly telemetry?: boolean; readonly setpoints?: boolean };
  readonly log: Logger;
}

/** How a device is at this moment. Power in kW, import positive. */
export interface DeviceState {
  readonly deviceId: string;
  readonly deviceType: DeviceType;
  readonly feederId: string;
  readonly powerKw: number;
  /** What it would do if nobody asked it for anything. */
  readonly wantKw: number;
  /** 0..1; null for a PV and for a charger without a car. */
  readonly soc: number | null;
  readonly energyKwh: number;
  readonly setpoint: SetpointInForce | null;
  readonly behaviour: Behaviour;
}

/** Time between two steps of the world, and between two looks at who is to report. */
const STEP_MS = 250;
const TICK_MS = 50;
/** A process that was stopped for longer does not make up for all of it. */
const MOST_CATCH_UP_MS = 60_000;

export const createFleet = (options: FleetOptions): Fleet => new Fleet(options);

/** A running fleet: a world whose devices and meters speak the MQTT contract, and nothing else, with a broker. */
export class Fleet {
  readonly feederIds: readonly string[];
  readonly deviceIds: readonly string[];
  private readonly world: World;
  private readonly devices: ReadonlyMap<string, SimulatedDevice>;
  private readonly record: FleetRecord;
  private readonly connections: FleetConnections;
  private readonly reports: readonly (() => void)[];
  private readonly intervalMs: number;
  private schedule: ReportSchedule | null = null;
  private ticking: NodeJS.Timeout | null = null;
  private steppedUntilMs = 0;
  private flowsNow: readonly number[] | null = null;
  private profile: SimulationProfile | null = null;

  /** Connects to nothing yet. @throws {DermsError} `REGISTRY_INVALID` when the part `simulation` has faults. */
  constructor(private readonly options: FleetOptions) {
    const { registry, faults = {} } = options;
    const simulation = readSimulation({
      ...registry,
      simulation: { ...registry.simulation, ...options.simulation },
    });
    this.feederIds = registry.feeders.map(({ feederId }) => feederId);
    this.deviceIds = registry.devices.map(({ deviceId }) => deviceId);
    this.world = new World(registry, simulation, drawFaults(this.deviceIds, faults, simulation.seed));
    this.devices = new Map(this.world.devices.map((device) => [device.traits.deviceId, device]));
    this.record = new FleetRecord(options.record ?? {});
    this.intervalMs = simulation.intervalSeconds * 1000;
    const topic = topics(options.topicPrefix);
    const metered = this.feederIds.filter((feederId) => simulation.feeders[feederId]?.metered ?? true);
    this.connections = connectFleet({
      ...options,
      setpointTopics: this.world.devices.map(({ traits }) => topic.setpoint(traits.deviceType, traits.deviceId)),
      meters: metered.length,
      profileTopic: topic.simulationProfile,
      onSetpoint: (index, payload) => {
        this.hear(index, payload);
      },
      onProfile: (payload) => {
        this.follow(parseSimulationProfile(payload));
      },
      onAcknowledged: (message, brokerIndex) => {
        this.record.acknowledged(message, brokerIndex);
      },
    });
    this.reports = [
      ...this.world.devices.map((device, index) => this.deviceReport(device, index)),
      ...metered.map((feederId, index) => this.meterReport(feederId, index)),
    ];
  }

  /** Lets time pass from now on. Resolves once every device is connected and subscribed, however long that takes. */
  async start(): Promise<'connected' | 'stopped'> {
    if (this.ticking !== null) throw new Error('the fleet has been started already');
    this.steppedUntilMs = performance.now();
    this.schedule = new ReportSchedule(this.reports.length, this.intervalMs, this.steppedUntilMs);
    this.ticking = setInterval(() => {
      this.tick();
    }, TICK_MS);
    return this.connections.start();
  }

  /** Lets what is in flight land and hangs up, within about a second. A fleet that was stopped is not started again. */
  async stop(): Promise<void> {
    if (this.ticking !== null) clearInterval(this.ticking);
    await this.connections.stop();
  }

  /** True flow through a feeder now, kW, import positive: its homes, its devices and all that is below it. */
  meterFlowKw(feederId: string): number {
    return this.flowAt(this.world.flowsKw(), feederId);
  }

  /** Flow if nobody asked any device for anything: cars charge as they like, panels give all they can. */
  wantedFlowKw(feederId: string): number {
    return this.flowAt(this.world.wantedFlowsKw(), feederId);
  }

  /** Both for every feeder at once, and the part that homes have in both. */
  feederFlows(): readonly Readonly<Record<'flowKw' | 'wantedKw' | 'householdsKw', number> & { feederId: string }>[] {
    const flows = this.world.flowsKw();
    const households = this.world.householdFlowsKw();
    const wanted = this.world.wantedFlowsKw();
    return this.feederIds.map((feederId) => ({
      feederId,
      flowKw: this.flowAt(flows, feederId),
      wantedKw: this.flowAt(wanted, feederId),
      householdsKw: this.flowAt(households, feederId),
    }));
  }

  /** Lowest and highest true flow since the start, or since `resetFlowExtremes`; looked at four times a second. */
  flowExtremes(feederId: string): FlowExtremes {
    return this.world.extremes(feederId);
  }

  resetFlowExtremes(): void {
    this.world.resetExtremes();
  }

  /** @throws {RangeError} for a device that is not in the registry; so do all that take a device or a feeder. */
  device(deviceId: string): DeviceState {
    const { traits, powerKw, wantKw, soc, energyKwh, setpoint, behaviour } = this.find(deviceId);
    const { deviceType, feederId } = traits;
    return { deviceId, deviceType, feederId, powerKw, wantKw, soc, energyKwh, setpoint, behaviour };
  }

  /** Changes how a device misbehaves; what is left out stays as it is. */
  setBehaviour(deviceId: string, change: Partial<Behaviour>): void {
    const device = this.find(deviceId);
    const wasDeaf = device.behaviour.deaf;
    device.behaviour = { ...device.behaviour, ...change };
    if (wasDeaf && !device.behaviour.deaf) this.connections.refresh(this.world.devices.indexOf(device));
  }

  /** Pins the load that nobody controls at a feeder; null gives it back to the time of day. */
  setHouseholdLoadKw(feederId: string, kw: number | null): void {
    this.world.setHouseholdLoadKw(feederId, kw);
  }

  counts(): FleetCounts {
    return { ...this.record.counts, ...this.connections.state() };
  }

  /** Readings that the broker has acknowledged, in that order; empty unless `record.telemetry` is set. */
  acknowledgedTelemetry(): readonly RecordedReading[] {
    return this.record.readings;
  }

  /** Every setpoint that a device heard, with what it did about it; empty unless `record.setpoints` is set. */
  setpointsHeard(deviceId: string): readonly RecordedSetpoint[] {
    return this.record.setpointsOf(this.find(deviceId).traits.deviceId);
  }

  /** Simulated time of day, s. */
  get secondsOfDay(): number {
    return this.world.secondsOfDay;
  }

  private tick(): void {
    const nowMs = performance.now();
    this.flowsNow = null;
    this.steppedUntilMs = Math.max(this.steppedUntilMs, nowMs - MOST_CATCH_UP_MS);
    while (nowMs - this.steppedUntilMs >= STEP_MS) {
      this.steppedUntilMs += STEP_MS;
      this.world.step(STEP_MS / 1000, this.steppedUntilMs);
    }
    for (const sender of this.schedule?.due(nowMs) ?? []) this.reports[sender]?.();
  }

  private deviceReport(device: SimulatedDevice, index: number): () => void {
    const { deviceId, deviceType } = device.traits;
    const topic = topics(this.options.topicPrefix).telemetry(deviceType, deviceId);
    const write = telemetryWriter(device.traits);
    return () => {
      if (device.behaviour.silent || device.behaviour.deaf) return;
      const timestampMs = Date.now() + Math.round(device.behaviour.clockOffsetSeconds * 1000);
      const message = {
        topic,
        payload: write(device, timestampMs),
        kind: 'telemetry',
        sender: deviceId,
        timestampMs,
      } as const;
      this.record.produced('telemetry');
      this.connections.publishForDevice(index, message);
    };
  }

  private meterReport(feederId: string, index: number): () => void {
    const topic = topics(this.options.topicPrefix).meter(feederId);
    const write = measurementWriter(feederId);
    return () => {
      this.flowsNow ??= this.world.flowsKw();
      const timestampMs = Date.now();
      const payload = write(this.flowAt(this.flowsNow, feederId), timestampMs);
      this.record.produced('measurement');
      this.connections.publishForMeter(index, { topic, payload, kind: 'measurement', sender: feederId, timestampMs });
    };
  }

  private hear(index: number, payload: Buffer): void {
    const device = this.world.devices[index];
    if (device === undefined || device.behaviour.deaf || payload.length === 0) return; // empty: a retained one was cleared
    const setpoint = parseSetpoint(payload);
    const verdict = isRefusal(setpoint) ? 'invalid' : device.hear(setpoint, Date.now(), performance.now());
    if (!isRefusal(setpoint) && verdict === 'taken')
      this.connections.noteSetpoint(index, setpoint.validUntilMs - Date.now());
    this.record.heard(device.traits.deviceId, isRefusal(setpoint) ? null : setpoint, verdict);
  }

  /** The retained profile comes again with each connection: only a change moves the sun. */
  private follow(profile: SimulationProfile | null): void {
    if (profile === null || profile === this.profile) return;
    this.profile = profile;
    this.world.setProfile(profile);
    this.options.log.info({ profile }, 'the simulated sun was moved');
  }

  private flowAt(flows: readonly number[], feederId: string): number {
    return flows[this.world.indexOfFeeder(feederId)] ?? 0;
  }

  private find(deviceId: string): SimulatedDevice {
    const device = this.devices.get(deviceId);
    if (device === undefined) throw new RangeError(`there is no device ${deviceId}`);
    return device;
  }
}
