import type { RegistryFeeder } from '../contracts/registry-file';
import type { SimulatedDevice } from './simulated-device';

/** Flow through every node of every tree: what hangs on it and all that is below. kW, import positive. */
export class FeederTree {
  private readonly indexOf = new Map<string, number>();
  /** Children before their parents. */
  private readonly order: readonly number[];
  private readonly parent: readonly number[];
  private readonly feederOfDevice: readonly number[];

  constructor(
    feeders: readonly RegistryFeeder[],
    private readonly devices: readonly SimulatedDevice[],
  ) {
    feeders.forEach(({ feederId }, index) => this.indexOf.set(feederId, index));
    this.parent = feeders.map(({ parentId }) => this.indexOf.get(parentId ?? '') ?? -1);
    const depths = feeders.map((_, index) => this.depth(index));
    this.order = feeders.map((_, index) => index).sort((a, b) => (depths[b] ?? 0) - (depths[a] ?? 0));
    this.feederOfDevice = devices.map(({ traits }) => this.at(traits.feederId));
  }

  /** @throws {RangeError} for a feeder that is not in the registry. */
  at(feederId: string): number {
    const index = this.indexOf.get(feederId);
    if (index === undefined) throw new RangeError(`there is no feeder ${feederId}`);
    return index;
  }

  /** One number per feeder, in the registry's order. `powerOf` says which power of a device counts. */
  flowsKw(householdKw: readonly number[], powerOf: (device: SimulatedDevice) => number): number[] {
    const flows = [...householdKw];
    this.devices.forEach((device, index) => {
      add(flows, this.feederOfDevice[index] ?? -1, powerOf(device));
    });
    for (const index of this.order) add(flows, this.parent[index] ?? -1, flows[index] ?? 0);
    return flows;
  }

  private depth(index: number): number {
    let depth = 0;
    for (let above = this.parent[index] ?? -1; above >= 0; above = this.parent[above] ?? -1) depth += 1;
    return depth;
  }
}

function add(flows: number[], index: number, kw: number): void {
  const before = flows[index];
  if (before !== undefined) flows[index] = before + kw;
}
