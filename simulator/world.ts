import type { RegistryFile } from '../contracts/registry-file';
import type { SimulationProfile } from '../contracts/simulation-profile';
import type { Behaviour } from './behaviour';
import { buildDevices } from './build-devices';
import { FeederTree } from './feeder-tree';
import { householdKw, type Household } from './physics/household';
import { randomStream, wander, type Random } from './physics/random';
import { clearSky, DAY_SECONDS, throughClouds } from './physics/sun';
import type { SimulatedDevice } from './simulated-device';
import type { Simulation } from './simulation-section';

/** Clouds pass in about a quarter of an hour; homes change their mind in about ten minutes. Simulated seconds. */
const CLOUD_MEMORY_SECONDS = 900;
const HOUSEHOLD_MEMORY_SECONDS = 600;

/** Lowest and highest flow that a feeder had. */
export interface FlowExtremes {
  readonly lowKw: number;
  readonly highKw: number;
}

interface FeederState {
  readonly feederId: string;
  readonly household: Household;
  readonly random: Random;
  restlessness: number;
  /** Set by hand; null: as the day goes. */
  pinnedKw: number | null;
  householdKw: number;
  extremes: FlowExtremes | null;
}

/**
 * Sun, clouds, homes, devices and what flows through the feeders, without clock, broker or wire.
 *
 * The same seed and the same steps give the same world, to the bit: all chance comes from seeded streams, one for each
 * device and feeder.
 */
export class World {
  readonly devices: readonly SimulatedDevice[];
  private readonly tree: FeederTree;
  private readonly feeders: readonly FeederState[];
  private readonly skyRandom: Random;
  private weather = 0;
  private sunSeconds: number;

  constructor(
    registry: RegistryFile,
    private readonly simulation: Simulation,
    faults: ReadonlyMap<string, Partial<Behaviour>>,
  ) {
    const { seed, timeOfDay, day } = simulation;
    this.skyRandom = randomStream(seed, `sky/${String(day)}`);
    const [hour = 0, minute = 0] = timeOfDay.split(':').map(Number);
    this.sunSeconds = (hour * 60 + minute) * 60;
    this.devices = buildDevices(registry, simulation, faults);
    this.tree = new FeederTree(registry.feeders, this.devices);
    this.feeders = registry.feeders.map(({ feederId, baseLoadKw = 0 }) => {
      const { householdBaseKw = baseLoadKw, householdPeakKw = householdBaseKw } = simulation.feeders[feederId] ?? {};
      const household = { baseKw: householdBaseKw, peakKw: householdPeakKw };
      const random = randomStream(seed, `household/${feederId}`);
      return { feederId, household, random, restlessness: 0, pinnedKw: null, householdKw: 0, extremes: null };
    });
    this.step(0, 0);
    this.resetExtremes();
  }

  /** Lets `seconds` of real time pass; sun and energy run `speed` times as fast. `monotonicMs` is for expiries. */
  step(seconds: number, monotonicMs: number): void {
    const simulatedSeconds = seconds * this.simulation.speed;
    this.sunSeconds = (this.sunSeconds + simulatedSeconds) % DAY_SECONDS;
    this.weather = wander(this.weather, simulatedSeconds, CLOUD_MEMORY_SECONDS, this.skyRandom);
    for (const feeder of this.feeders) this.stepHousehold(feeder, simulatedSeconds);
    const sunshine = clearSky(this.sunSeconds) * throughClouds(this.weather, this.simulation.cloudiness);
    const moment = { seconds, simulatedHours: simulatedSeconds / 3_600, monotonicMs, sunshine };
    for (const device of this.devices) device.step(moment);
    this.noteExtremes();
  }

  /** Flow through each feeder at this moment, in the registry's order. */
  flowsKw(): number[] {
    return this.tree.flowsKw(
      this.feeders.map((feeder) => feeder.householdKw),
      (device) => device.powerKw,
    );
  }

  /** The part of it that nobody controls. */
  householdFlowsKw(): number[] {
    return this.tree.flowsKw(
      this.feeders.map((feeder) => feeder.householdKw),
      () => 0,
    );
  }

  /** What would flow if nobody asked any device for anything: cars charge, panels give all they can. */
  wantedFlowsKw(): number[] {
    return this.tree.flowsKw(
      this.feeders.map((feeder) => feeder.householdKw),
      (device) => device.wantKw,
    );
  }

  /** Place of a feeder in `flowsKw`. @throws {RangeError} for one that is not in the registry. */
  indexOfFeeder(feederId: string): number {
    return this.tree.at(feederId);
  }

  /** null gives the homes back to the time of day. */
  setHouseholdLoadKw(feederId: string, kw: number | null): void {
    const feeder = this.feeder(feederId);
    feeder.pinnedKw = kw;
    if (kw === null) return;
    feeder.householdKw = kw;
    this.noteExtremes();
  }

  /** Moves the sun to noon or midnight, from where it goes on. */
  setProfile(profile: SimulationProfile): void {
    this.sunSeconds = profile === 'day' ? DAY_SECONDS / 2 : 0;
  }

  extremes(feederId: string): FlowExtremes {
    const { extremes } = this.feeder(feederId);
    if (extremes === null) throw new Error('no step since the extremes were reset'); // a reset notes the present flow
    return extremes;
  }

  /** Begins anew with the present flow. */
  resetExtremes(): void {
    for (const feeder of this.feeders) feeder.extremes = null;
    this.noteExtremes();
  }

  /** Simulated time of day, s. */
  get secondsOfDay(): number {
    return this.sunSeconds;
  }

  private stepHousehold(feeder: FeederState, simulatedSeconds: number): void {
    feeder.restlessness = wander(feeder.restlessness, simulatedSeconds, HOUSEHOLD_MEMORY_SECONDS, feeder.random);
    const { household, restlessness } = feeder;
    feeder.householdKw = feeder.pinnedKw ?? householdKw(household, this.sunSeconds, restlessness);
  }

  private noteExtremes(): void {
    const flows = this.flowsKw();
    this.feeders.forEach((feeder, index) => {
      const flow = flows[index] ?? 0;
      const { lowKw = flow, highKw = flow } = feeder.extremes ?? {};
      feeder.extremes = { lowKw: Math.min(lowKw, flow), highKw: Math.max(highKw, flow) };
    });
  }

  private feeder(feederId: string): FeederState {
    const feeder = this.feeders[this.indexOfFeeder(feederId)];
    if (feeder === undefined) throw new RangeError(`there is no feeder ${feederId}`);
    return feeder;
  }
}
