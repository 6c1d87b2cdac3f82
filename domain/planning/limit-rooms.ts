import { addTo, real, whole } from '../allocation/packed';
import type { ActiveDispatch } from '../fleet';
import type { SteerableDevice } from './device-state';
import { sumUpwards, type FeederTree } from './feeder-tree';
import { byPrecedence, type NodeLimits } from './limits-in-force';

/** The tree, its limits in force, and what flows through each node that no plan can move, kW. */
export interface Feeders {
  readonly tree: FeederTree;
  readonly limits: readonly NodeLimits[];
  readonly fixedHighKw: Float64Array;
  readonly fixedLowKw: Float64Array;
}

/** Sums over a node closer to its limit than this hold it: a thousandth of a watt. */
export const ON_LIMIT_KW = 1e-6;

/**
 * What the devices below each feeder may sum to: limit less what flows anyway. Dispatch limits can give way, own ones
 * cannot.
 */
export class LimitRooms {
  readonly ownHighKw: Float64Array;
  readonly ownLowKw: Float64Array;
  readonly highKw: Float64Array;
  readonly lowKw: Float64Array;
  /** Sides of limits that come from dispatches. */
  readonly dispatchedSides: number;

  constructor(private readonly feeders: Feeders) {
    const { limits, fixedHighKw, fixedLowKw } = feeders;
    this.ownHighKw = Float64Array.from(limits, ({ ownHighKw }, node) => ownHighKw - real(fixedHighKw, node));
    this.ownLowKw = Float64Array.from(limits, ({ ownLowKw }, node) => ownLowKw - real(fixedLowKw, node));
    this.highKw = Float64Array.from(limits, ({ high }, node) => high.kw - real(fixedHighKw, node));
    this.lowKw = Float64Array.from(limits, ({ low }, node) => low.kw - real(fixedLowKw, node));
    this.dispatchedSides = limits.filter(({ highBy }) => highBy).length + limits.filter(({ lowBy }) => lowBy).length;
  }

  /** By how much all nodes together are over their own limits with these powers, kW. */
  brokenKw(powerKw: Float64Array, devices: readonly SteerableDevice[]): number {
    const { high, low } = this.sums(powerKw, devices);
    return high.reduce((total, highKw, node) => {
      const over = beyond(highKw - real(this.ownHighKw, node)) + beyond(real(this.ownLowKw, node) - real(low, node));
      return total + over;
    }, 0);
  }

  /**
   * Lets dispatches give way to the limits above them that these powers break: false when none can. A limit of the
   * wires outranks every dispatch; among dispatches the one with the higher primacy number, then the later one, gives
   * way.
   */
  giveWay(powerKw: Float64Array, devices: readonly SteerableDevice[]): boolean {
    if (this.dispatchedSides === 0) return false;
    const sums = this.sums(powerKw, devices);
    return this.feeders.limits.some(
      (limits, node) =>
        this.pushDown(node, real(sums.high, node) - real(this.ownHighKw, node), null, 'low', sums.low) ||
        this.pushDown(node, real(this.ownLowKw, node) - real(sums.low, node), null, 'high', sums.high) ||
        this.pushDown(node, real(sums.high, node) - real(this.highKw, node), limits.highBy, 'low', sums.low) ||
        this.pushDown(node, real(this.lowKw, node) - real(sums.low, node), limits.lowBy, 'high', sums.high),
    );
  }

  /** Sums of the devices below each feeder, as import and as export judge them. */
  sums(powerKw: Float64Array, devices: readonly SteerableDevice[]): { high: Float64Array; low: Float64Array } {
    const high = new Float64Array(this.ownHighKw.length);
    const low = new Float64Array(this.ownHighKw.length);
    devices.forEach((steerable, index) => {
      addTo(high, steerable.node, countedHighKw(steerable, real(powerKw, index)));
      addTo(low, steerable.node, countedLowKw(steerable, real(powerKw, index)));
    });
    return { high: sumUpwards(this.feeders.tree, high), low: sumUpwards(this.feeders.tree, low) };
  }

  /** Takes `overKw` off the dispatch sides below `node` that hold it over its limit, the least of them first. */
  private pushDown(
    node: number,
    overKw: number,
    by: ActiveDispatch | null,
    side: 'high' | 'low',
    sums: Float64Array,
  ): boolean {
    if (overKw <= ON_LIMIT_KW) return false;
    let left = overKw;
    for (const feeder of this.heldBelow(node, by, side, sums)) {
      const [room, own] = side === 'low' ? [this.lowKw, this.ownLowKw] : [this.highKw, this.ownHighKw];
      const given = Math.min(left, Math.abs(real(room, feeder) - real(own, feeder)));
      addTo(room, feeder, side === 'low' ? -given : given);
      left -= given;
      if (left <= ON_LIMIT_KW) break;
    }
    return left < overKw;
  }

  private heldBelow(node: number, by: ActiveDispatch | null, side: 'high' | 'low', sums: Float64Array): number[] {
    const found: { feeder: number; by: ActiveDispatch }[] = [];
    this.feeders.limits.forEach((limits, feeder) => {
      const dispatch = side === 'low' ? limits.lowBy : limits.highBy;
      if (dispatch === null || (by !== null && byPrecedence(dispatch, by) <= 0)) return;
      const slack =
        side === 'low' ? real(sums, feeder) - real(this.lowKw, feeder) : real(this.highKw, feeder) - real(sums, feeder);
      if (slack <= ON_LIMIT_KW && this.isBelow(feeder, node)) found.push({ feeder, by: dispatch });
    });
    return found.sort((a, b) => byPrecedence(b.by, a.by)).map(({ feeder }) => feeder);
  }

  private isBelow(feeder: number, node: number): boolean {
    let above = whole(this.feeders.tree.parentOf, feeder);
    while (above > node) above = whole(this.feeders.tree.parentOf, above);
    return above === node;
  }
}

/** What a device at this power may import at most. */
export const countedHighKw = ({ want }: SteerableDevice, powerKw: number): number =>
  Math.max(powerKw, want.countsFromKw);

/** What a device at this power may import at least. */
export const countedLowKw = ({ want }: SteerableDevice, powerKw: number): number => Math.min(powerKw, want.countsToKw);

const beyond = (overKw: number): number => (overKw > ON_LIMIT_KW ? overKw : 0);
