import { real, whole } from './packed';

/**
 * The curves of all devices, packed: point by point, ascending, so that 100,000 devices are a handful of arrays rather
 * than half a million objects.
 *
 * A curve says how much power (kW, import positive) a device takes at each level of the stacked level axis. It never
 * falls, is straight between its points and flat outside them.
 */
export class LevelCurves {
  private devices = 0;
  private points = 0;
  private nodes: Int32Array;
  private firstPoints: Int32Array;
  private highFloors: Float64Array;
  private lowCeilings: Float64Array;
  private levels: Float64Array;
  private powers: Float64Array;

  /** Has room for as many devices at first, and for four points of each; it grows as needed. */
  constructor(expectedDevices: number) {
    const devices = Math.max(1, expectedDevices);
    this.nodes = new Int32Array(devices);
    this.firstPoints = new Int32Array(devices);
    this.highFloors = new Float64Array(devices);
    this.lowCeilings = new Float64Array(devices);
    this.levels = new Float64Array(4 * devices);
    this.powers = new Float64Array(4 * devices);
  }

  /**
   * Begins the curve of the next device; its points follow with `point`. Devices are numbered in the order they come.
   *
   * `highFloorKw`: on the import side it counts at this at least (a PV gives no more than it measures, whatever its cap
   * allows). `lowCeilingKw`: on the export side it counts at this at most (an EV draws no more than it measures,
   * whatever its allowance).
   */
  device(node: number, highFloorKw = -Infinity, lowCeilingKw = Infinity): this {
    if (this.devices === this.nodes.length) this.growDevices();
    this.nodes[this.devices] = node;
    this.firstPoints[this.devices] = this.points;
    this.highFloors[this.devices] = highFloorKw;
    this.lowCeilings[this.devices] = lowCeilingKw;
    this.devices += 1;
    return this;
  }

  /** Adds a point to the right of the last one: neither `level` nor `kw` may be smaller than there. */
  point(level: number, kw: number): this {
    if (this.points === this.levels.length) this.growPoints();
    this.levels[this.points] = level;
    this.powers[this.points] = kw;
    this.points += 1;
    return this;
  }

  get deviceCount(): number {
    return this.devices;
  }

  get pointCount(): number {
    return this.points;
  }

  nodeOf(device: number): number {
    return whole(this.nodes, device);
  }

  /** Index of the first point of the device; that of the next device ends it. */
  firstPointOf(device: number): number {
    return device < this.devices ? whole(this.firstPoints, device) : this.points;
  }

  levelAt(point: number): number {
    return real(this.levels, point);
  }

  kwAtPoint(point: number): number {
    return real(this.powers, point);
  }

  highFloorOf(device: number): number {
    return real(this.highFloors, device);
  }

  lowCeilingOf(device: number): number {
    return real(this.lowCeilings, device);
  }

  /** Power of the device at a level, kW; 0 for a curve without points. */
  kwAt(device: number, level: number): number {
    const first = this.firstPointOf(device);
    const end = this.firstPointOf(device + 1);
    if (first === end) return 0;
    let right = first;
    while (right < end && this.levelAt(right) < level) right += 1;
    if (right === first) return this.kwAtPoint(first);
    if (right === end) return this.kwAtPoint(end - 1);
    const fromKw = this.kwAtPoint(right - 1);
    const toKw = this.kwAtPoint(right);
    const fromLevel = this.levelAt(right - 1);
    const toLevel = this.levelAt(right);
    return level === toLevel ? toKw : fromKw + ((toKw - fromKw) * (level - fromLevel)) / (toLevel - fromLevel);
  }

  private growDevices(): void {
    this.nodes = grown(this.nodes, new Int32Array(2 * this.devices));
    this.firstPoints = grown(this.firstPoints, new Int32Array(2 * this.devices));
    this.highFloors = grown(this.highFloors, new Float64Array(2 * this.devices));
    this.lowCeilings = grown(this.lowCeilings, new Float64Array(2 * this.devices));
  }

  private growPoints(): void {
    this.levels = grown(this.levels, new Float64Array(2 * this.points));
    this.powers = grown(this.powers, new Float64Array(2 * this.points));
  }
}

function grown<Values extends Float64Array | Int32Array>(from: Values, to: Values): Values {
  to.set(from);
  return to;
}
