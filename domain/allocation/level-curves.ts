/**
 * The curves of all devices, packed: point by point, ascending, so that 100,000 devices are a handful of
 * arrays rather than half a million objects.
 *
 * A curve says how much power (kW, import positive) a device takes at each level of the stacked level
 * axis. It never falls, is straight between its points and flat outside them.
 */
export class LevelCurves {
  private readonly firstPoint: number[] = [];
  private readonly nodes: number[] = [];
  private readonly floors: number[] = [];
  private readonly ceilings: number[] = [];
  private readonly levels: number[] = [];
  private readonly kilowatts: number[] = [];

  /**
   * Begins the curve of the next device; its points follow with `point`. Devices are numbered in the order they come.
   *
   * `highFloorKw`: on the import side it counts at this at least (a PV gives no more than it measures, whatever
   * its cap allows). `lowCeilingKw`: on the export side it counts at this at most (an EV draws no more than it
   * measures, whatever its allowance).
   */
  device(node: number, highFloorKw = -Infinity, lowCeilingKw = Infinity): this {
    this.firstPoint.push(this.levels.length);
    this.nodes.push(node);
    this.floors.push(highFloorKw);
    this.ceilings.push(lowCeilingKw);
    return this;
  }

  /** Adds a point to the right of the last one: neither `level` nor `kw` may be smaller than there. */
  point(level: number, kw: number): this {
    this.levels.push(level);
    this.kilowatts.push(kw);
    return this;
  }

  get deviceCount(): number {
    return this.nodes.length;
  }

  get pointCount(): number {
    return this.levels.length;
  }

  nodeOf(device: number): number {
    return this.nodes[device] ?? -1;
  }

  /** Index of the first point of the device; that of the next device ends it. */
  firstPointOf(device: number): number {
    return this.firstPoint[device] ?? this.levels.length;
  }

  levelAt(point: number): number {
    return this.levels[point] ?? NaN;
  }

  kwAtPoint(point: number): number {
    return this.kilowatts[point] ?? NaN;
  }

  highFloorOf(device: number): number {
    return this.floors[device] ?? -Infinity;
  }

  lowCeilingOf(device: number): number {
    return this.ceilings[device] ?? Infinity;
  }

  /** Power of the device at a level, kW. */
  kwAt(device: number, level: number): number {
    const first = this.firstPointOf(device);
    const end = this.firstPointOf(device + 1);
    if (first === end || level <= this.levelAt(first)) return first === end ? 0 : this.kwAtPoint(first);
    let right = first + 1;
    while (right < end && this.levelAt(right) < level) right += 1;
    if (right === end) return this.kwAtPoint(end - 1);
    const [fromLevel, fromKw, toLevel, toKw] = [
      this.levelAt(right - 1),
      this.kwAtPoint(right - 1),
      this.levelAt(right),
      this.kwAtPoint(right),
    ];
    if (level >= toLevel) return toKw;
    return fromKw + ((toKw - fromKw) * (level - fromLevel)) / (toLevel - fromLevel);
  }
}
