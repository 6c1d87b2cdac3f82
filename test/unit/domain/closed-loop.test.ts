/**
 * The plan judged where it counts: at the meters of a simulated feeder tree whose devices do what real ones do. An EV draws what its
 * car takes and no more than it is allowed, a PV gives what the sun gives and no more than its cap, a battery does as told.
 */
import fc from 'fast-check';
import type { Device, FeederNode, TreeSnapshot } from '../../../domain/fleet';
import { planTree } from '../../../domain/plan-tree';
import { aBattery, aFeeder, aMeter, anEv, aPv, aReading, aSnapshot, NOON, SETTINGS } from './builders';

const CYCLES_PER_PHASE = 5;
/** A disturbance is seen by the next plan; from the second on the meters must be inside. */
const SETTLED_AFTER = 2;
const FEEDERS = ['root', 'a', 'b'];

const share = fc.integer({ min: 0, max: 100 }).map((percent) => percent / 100);
const phase = fc.record({
  loadsKw: fc.tuple(
    fc.integer({ min: -10, max: 10 }),
    fc.integer({ min: -20, max: 40 }),
    fc.integer({ min: -20, max: 40 }),
  ),
  sun: share,
  takes: fc.array(share, { minLength: 12, maxLength: 12 }),
});
const fleet = fc.record({
  devices: fc.array(
    fc.record({
      kind: fc.constantFrom('ev', 'battery', 'pv'),
      feeder: fc.constantFrom(...FEEDERS),
      ratedKw: fc.integer({ min: 1, max: 60 }),
    }),
    { maxLength: 12 },
  ),
  phases: fc.array(phase, { minLength: 1, maxLength: 4 }),
});

it('is inside every limit from the second cycle after load, sun and cars changed', () => {
  fc.assert(
    fc.property(fleet, ({ devices, phases }) => {
      const feeder = new SimulatedFeeder(devices.map(deviceOf));
      for (const { loadsKw, sun, takes } of phases) {
        feeder.change(loadsKw, sun, takes);
        for (let cycle = 1; cycle <= CYCLES_PER_PHASE; cycle += 1) {
          feeder.runCycle();
          if (cycle >= SETTLED_AFTER) expect(feeder.nodesOverLimit()).toEqual([]);
        }
      }
    }),
    { numRuns: 400 },
  );
});

it('ends with the battery full of sun before any PV is curtailed, and PV giving all that then fits', () => {
  const feeder = new SimulatedFeeder([
    aPv({ feederId: 'a', maxExportKw: 100 }),
    aBattery({ feederId: 'a', maxImportKw: 20 }),
  ]);
  feeder.change([0, 5, 0], 1, []);
  for (let cycle = 0; cycle < 6; cycle += 1) feeder.runCycle();
  expect(feeder.powers()).toEqual({ pv: -85, battery: 20 });
});

it('ends with the share that an absent car leaves used by the others', () => {
  const cars = ['1', '2', '3'].map((id) => anEv({ deviceId: id, feederId: 'a', maxImportKw: 30 }));
  const feeder = new SimulatedFeeder(cars);
  feeder.change([0, 0, 0], 0, [1, 1, 0]);
  for (let cycle = 0; cycle < 6; cycle += 1) feeder.runCycle();
  expect(feeder.powers()).toEqual({ '1': 28.5, '2': 28.5, '3': 0 });
});

class SimulatedFeeder {
  private readonly limits = { root: 90, a: 60, b: 60 };
  private loadsKw: readonly number[] = [0, 0, 0];
  private sun = 0;
  private takes: readonly number[] = [];
  private now = NOON;

  constructor(private devices: Device[]) {}

  change(loadsKw: readonly number[], sun: number, takes: readonly number[]): void {
    this.loadsKw = loadsKw;
    this.sun = sun;
    this.takes = takes;
    this.respond();
  }

  runCycle(): void {
    const plan = planTree(this.snapshot());
    const validUntilMs = this.now + SETTINGS.setpointTtlSeconds * 1000;
    this.devices = this.devices.map((device) => {
      const planned = plan.devices.find(({ deviceId }) => deviceId === device.deviceId);
      if (planned === undefined || planned.publish === 'none') return device;
      return { ...device, acknowledged: { targetKw: planned.targetKw, validUntilMs } };
    });
    this.now += SETTINGS.intervalSeconds * 1000;
    this.respond();
  }

  nodesOverLimit(): string[] {
    const flows = this.flows();
    return FEEDERS.filter((feederId, node) => Math.abs(flows[node] ?? 0) > this.limits[feederId as 'a'] + 0.001);
  }

  powers(): Record<string, number> {
    return Object.fromEntries(
      this.devices.map(({ deviceId, reading }) => [deviceId, Math.round((reading?.powerKw ?? 0) * 10) / 10 + 0]),
    );
  }

  private respond(): void {
    this.devices = this.devices.map((device, index) => ({
      ...device,
      reading: aReading({ powerKw: this.powerOf(device, index), soc: 0.5 }),
    }));
  }

  private powerOf({ deviceType, acknowledged, maxImportKw, maxExportKw }: Device, index: number): number {
    switch (deviceType) {
      case 'ev':
        return Math.min(acknowledged?.targetKw ?? 0, (maxImportKw ?? 0) * (this.takes[index] ?? 1));
      case 'pv':
        return 0 - Math.min(-(acknowledged?.targetKw ?? -(maxExportKw ?? 0)), (maxExportKw ?? 0) * this.sun);
      case 'battery':
        return acknowledged?.targetKw ?? 0;
    }
  }

  private flows(): [number, number, number] {
    const own = FEEDERS.map((feederId, node) =>
      this.devices
        .filter((device) => device.feederId === feederId)
        .reduce((sum, { reading }) => sum + (reading?.powerKw ?? 0), this.loadsKw[node] ?? 0),
    );
    const [root = 0, a = 0, b = 0] = own;
    return [root + a + b, a, b];
  }

  private snapshot(): TreeSnapshot {
    const flows = this.flows();
    const feeders = FEEDERS.map((feederId, node): FeederNode => {
      const limitKw = this.limits[feederId as 'a'];
      const parentId = node === 0 ? null : 'root';
      return aFeeder({
        feederId,
        parentId,
        importLimitKw: limitKw,
        exportLimitKw: limitKw,
        meter: aMeter(flows[node] ?? 0),
      });
    });
    return aSnapshot({ nowMs: this.now, feeders, devices: this.devices });
  }
}

function deviceOf({ kind, feeder, ratedKw }: { kind: string; feeder: string; ratedKw: number }, index: number): Device {
  const common = { deviceId: String(index), feederId: feeder };
  if (kind === 'ev') return anEv({ ...common, maxImportKw: ratedKw });
  if (kind === 'pv') return aPv({ ...common, maxExportKw: ratedKw });
  return aBattery({ ...common, maxImportKw: ratedKw, maxExportKw: ratedKw });
}
