import { randomUUID } from 'node:crypto';
import type { RegistryFile } from '../../../contracts/registry-file';
import { setpointMessage } from '../../../contracts/setpoint';
import type {
  Device,
  DeviceReading,
  FeederNode,
  LastMove,
  MeterReading,
  PlanSettings,
  TreeSnapshot,
} from '../../../domain/fleet';
import type { TreePlan } from '../../../domain/plan';
import { moveTo } from '../../../domain/last-move';
import { planTree } from '../../../domain/plan-tree';
import { validUntilMs } from '../../../domain/setpoint-end';
import type { Behaviour } from '../../../simulator/behaviour';
import { readSimulation } from '../../../simulator/simulation-section';
import { World } from '../../../simulator/world';
import { PLAN_SETTINGS } from '../../support/policy';

/** Power electronics see less; the wire and the plan see far less. */
const STEP_SECONDS = 0.25;
const START_MS = Date.UTC(2026, 5, 1, 11);

const SETTINGS: Omit<PlanSettings, 'intervalSeconds'> = { ...PLAN_SETTINGS, evUrgencyMost: 2 };

export interface LoopOptions {
  readonly registry: RegistryFile;
  readonly rootFeederId: string;
  readonly intervalSeconds: number;
  /** Each device and meter reports once in this, each at a moment of its own. */
  readonly reportSeconds: number;
  /** When the loop ticks within its interval, relative to the reports: 0..1. */
  readonly phase: number;
}

interface Held {
  acknowledged: Device['acknowledged'];
  lastMove: LastMove | null;
  offSetpointCycles: number;
  notFollowingUntilMs: number | null;
  waitsSinceMs: number | null;
  waitedUntilMs: number | null;
  reading: { readonly atMs: number; readonly value: Omit<DeviceReading, 'ageSeconds'> } | null;
}

/**
 * The control loop in virtual time: the simulated world, reports that come at different moments, and `planTree`, without
 * servers. What Postgres carries from plan to plan is carried here; a broker that loses nothing is assumed.
 */
export class ClosedLoop {
  readonly world: World;
  nowMs = START_MS;
  metersAreSilent = false;
  controlIsAway = false;
  /** What the last cycle looked at and decided. */
  last: { readonly tree: TreeSnapshot; readonly plan: TreePlan } | null = null;
  private readonly held = new Map<string, Held>();
  private readonly meters = new Map<
    string,
    {
      flowKw: number;
      atMs: number;
      last: MeterReading['lastUncontrolledKw'];
      worst: MeterReading['worstUncontrolledKw'];
    }
  >();
  private readonly feeders: RegistryFile['feeders'];
  private readonly devices: RegistryFile['devices'];
  private ticks = 0;
  private steps = 0;

  constructor(private readonly options: LoopOptions) {
    const { registry, rootFeederId } = options;
    this.world = new World(registry, readSimulation(registry), new Map());
    this.feeders = registry.feeders.filter(
      (feeder) => feeder.feederId === rootFeederId || feeder.parentId === rootFeederId,
    );
    const ids = new Set(this.feeders.map(({ feederId }) => feederId));
    this.devices = registry.devices.filter(({ feederId }) => ids.has(feederId));
    for (const { deviceId } of this.devices) {
      this.held.set(deviceId, {
        acknowledged: null,
        lastMove: null,
        offSetpointCycles: 0,
        notFollowingUntilMs: null,
        waitsSinceMs: null,
        waitedUntilMs: null,
        reading: null,
      });
    }
  }

  /** How far each feeder of the tree is over a limit at this moment, as its meter would show it, kW; only those that are. */
  overKw(): { readonly feederId: string; readonly kw: number; readonly limitKw: number }[] {
    const flows = this.world.flowsKw();
    return this.feeders.flatMap(({ feederId, importLimitKw, exportLimitKw }) => {
      const flowKw = flows[this.world.indexOfFeeder(feederId)] ?? NaN;
      const limitKw = flowKw > 0 ? importLimitKw : exportLimitKw;
      const kw = Math.abs(flowKw) - limitKw;
      return kw > 0 ? [{ feederId, kw, limitKw }] : [];
    });
  }

  /** Until when devices of the tree go by what they were told last, s from now; none for those that never were. */
  endsInSeconds(): number[] {
    const ends = [...this.held.values()].map(({ acknowledged }) => acknowledged?.validUntilMs ?? NaN);
    return ends.filter((atMs) => atMs > this.nowMs).map((atMs) => (atMs - this.nowMs) / 1000);
  }

  /** Devices of the tree, each tenth of them changed. */
  eachTenth(behaviour: Partial<Behaviour>): void {
    const ids = new Set(this.devices.map(({ deviceId }) => deviceId));
    this.world.devices
      .filter(({ traits }) => ids.has(traits.deviceId))
      .forEach((device, index) => {
        if (index % 10 === 3) device.behaviour = { ...device.behaviour, ...behaviour };
      });
  }

  /** Runs for `seconds`; returns the flow of a feeder at each step, as its meter would show it at any moment. */
  run(seconds: number, feederId: string): number[] {
    const at = this.world.indexOfFeeder(feederId);
    const flows: number[] = [];
    for (let step = 0; step < seconds / STEP_SECONDS; step += 1) {
      this.nowMs += STEP_SECONDS * 1000;
      this.steps += 1;
      this.world.step(STEP_SECONDS, this.nowMs);
      this.report();
      const intervalMs = this.options.intervalSeconds * 1000;
      const tick = Math.floor((this.nowMs - START_MS - this.options.phase * intervalMs) / intervalMs);
      if (tick > this.ticks) {
        this.ticks = tick;
        if (!this.controlIsAway) this.cycle();
      }
      flows.push(this.world.flowsKw()[at] ?? NaN);
    }
    return flows;
  }

  /** Spread evenly over the reporting period. */
  private report(): void {
    const perPeriod = Math.round(this.options.reportSeconds / STEP_SECONDS);
    this.world.devices.forEach((device, index) => {
      const held = this.held.get(device.traits.deviceId);
      if (held === undefined || device.behaviour.silent || this.steps % perPeriod !== index % perPeriod) return;
      held.reading = {
        atMs: this.nowMs,
        value: { powerKw: device.powerKw, soc: device.soc, online: true, faultCode: null },
      };
    });
    this.feeders.forEach(({ feederId }, index) => {
      if (this.metersAreSilent) return;
      if (this.steps % perPeriod !== (index * 7) % perPeriod) return;
      const flowKw = this.world.flowsKw()[this.world.indexOfFeeder(feederId)] ?? NaN;
      const { last = null, worst = null } = this.meters.get(feederId) ?? {};
      this.meters.set(feederId, { flowKw, atMs: this.nowMs, last, worst });
    });
  }

  private cycle(): void {
    const settings = { ...SETTINGS, intervalSeconds: this.options.intervalSeconds };
    const devices = this.devices.map((device) => this.deviceNow(device));
    const tree: TreeSnapshot = {
      nowMs: this.nowMs,
      mode: 'automatic',
      settings,
      feeders: this.feeders.map((feeder) => this.feederNow(feeder)),
      devices,
      dispatches: [],
      envelopes: [],
    };
    const plan = planTree(tree);
    this.last = { tree, plan };
    for (const { feederId, meteredUncontrolledKw } of plan.nodes) {
      const meter = this.meters.get(feederId);
      if (meter === undefined || meteredUncontrolledKw === null) continue;
      meter.last = meteredUncontrolledKw;
      meter.worst = worstOf(meter.worst, meteredUncontrolledKw);
    }
    const before = new Map(devices.map((device) => [device.deviceId, device]));
    const untilMs = validUntilMs(plan.devices, tree);
    for (const planned of plan.devices) {
      const held = this.held.get(planned.deviceId);
      const device = before.get(planned.deviceId);
      if (held === undefined || device === undefined) continue;
      held.offSetpointCycles = planned.offSetpointCycles;
      held.notFollowingUntilMs = planned.notFollowingUntilMs;
      held.waitsSinceMs = planned.waitsSinceMs;
      held.waitedUntilMs = planned.waitedUntilMs;
      if (planned.publish === 'none') continue;
      held.lastMove = moveTo(planned.targetKw, device, this.nowMs, settings) ?? held.lastMove;
      held.acknowledged = { targetKw: planned.targetKw, validUntilMs: untilMs };
      this.deliver(device, planned.targetKw, held.acknowledged.validUntilMs);
    }
  }

  private deliver({ deviceId, deviceType }: Device, targetKw: number, validUntilMs: number): void {
    const { payload } = setpointMessage({
      messageId: randomUUID(),
      planId: 'plan',
      deviceId,
      deviceType,
      sign: null,
      targetKw,
      validUntilMs,
      timestampMs: this.nowMs,
      rampKwPerS: null,
      allocator: 'test',
      notes: '',
    });
    const { command } = payload;
    this.world.devices
      .find(({ traits }) => traits.deviceId === deviceId)
      ?.hear(
        { messageId: randomUUID(), correlationId: null, timestampMs: this.nowMs, rampKwPerS: null, ...command },
        this.nowMs,
        this.nowMs,
      );
  }

  private deviceNow(row: RegistryFile['devices'][number]): Device {
    const held = this.held.get(row.deviceId);
    if (held === undefined) throw new Error(`no such device: ${row.deviceId}`);
    const { reading, ...state } = held;
    return {
      deviceId: row.deviceId,
      deviceType: row.deviceType,
      feederId: row.feederId,
      maxImportKw: row.maxImportKw ?? null,
      maxExportKw: row.maxExportKw ?? null,
      minImportKw: row.minImportKw ?? 0,
      defaultPowerKw: row.defaultPowerKw ?? null,
      honoursExpiry: row.honoursExpiry ?? true,
      weight: row.weight ?? 1,
      reserveSoc: row.reserveSoc ?? 0.1,
      targetSoc: row.targetSoc ?? 1,
      scheduledPowerKw: row.scheduledPowerKw ?? 0,
      rampKwPerS: row.rampKwPerS ?? null,
      reading: reading === null ? null : { ...reading.value, ageSeconds: (this.nowMs - reading.atMs) / 1000 },
      pending: null,
      ...state,
    };
  }

  private feederNow({
    feederId,
    parentId,
    importLimitKw,
    exportLimitKw,
    baseLoadKw,
  }: RegistryFile['feeders'][number]): FeederNode {
    const meter = this.meters.get(feederId);
    return {
      feederId,
      parentId: parentId ?? null,
      importLimitKw,
      exportLimitKw,
      baseLoadKw: baseLoadKw ?? 0,
      meter:
        meter === undefined
          ? null
          : {
              flowKw: meter.flowKw,
              ageSeconds: (this.nowMs - meter.atMs) / 1000,
              worstUncontrolledKw: meter.worst,
              lastUncontrolledKw: meter.last,
            },
    };
  }
}

const worstOf = (
  a: MeterReading['worstUncontrolledKw'],
  b: NonNullable<MeterReading['worstUncontrolledKw']>,
): MeterReading['worstUncontrolledKw'] =>
  a === null ? b : { highKw: Math.max(a.highKw, b.highKw), lowKw: Math.min(a.lowKw, b.lowKw) };
