import { addTo, real, whole } from '../allocation/packed';
import { allocate, type Allocation } from './allocate';
import type { SteerableDevice } from './device-state';
import { ON_LIMIT_KW, type Feeders } from './limit-rooms';
import type { Want } from './wants';

/** An allocation in which every EV draws 0 or at least its minimum. */
export interface MinimumAllocation extends Allocation {
  /** The devices as they were planned: who waits may draw nothing, who is kept at least its minimum. */
  readonly devices: readonly SteerableDevice[];
  /** Per device, the feeder for whose limit it waits; -1 when it does not wait. */
  readonly waitsFor: Int32Array;
}

/** Who of these EVs, which compete with each other, waits first; `waiting-order.ts` has the order that is used. */
export type WaitingOrder = (group: readonly SteerableDevice[]) => (a: SteerableDevice, b: SteerableDevice) => number;

/**
 * Allocates, then lets EVs wait whose share is below the least they can charge with.
 *
 * Of the EVs that one limit holds, the first in line keep charging as long as their minimums fit into what these EVs
 * got together, and under the limits between; the rest waits, and what it frees goes to the others with the next
 * solution. Deeper limits first, at most one more solution than the tree is deep, the last one with everybody waiting
 * who is still below.
 */
export function allocateWithMinimums(
  feeders: Feeders,
  devices: readonly SteerableDevice[],
  order: WaitingOrder,
): MinimumAllocation {
  const waitsFor = new Int32Array(devices.length).fill(-1);
  let planned = devices;
  let allocation = allocate(feeders, planned);
  for (let round = 1; round <= feeders.tree.depth + 1; round += 1) {
    const groups = groupsBelowMinimum(planned, allocation);
    if (groups.length === 0) break;
    const isLast = round > feeders.tree.depth;
    const highKw = allocation.rooms.sums(allocation.powerKw, planned).high;
    const slackKw = allocation.rooms.highKw.map((kw, node) => Math.max(0, kw - real(highKw, node)));
    const decided = isLast
      ? groups.map(allWait)
      : deepest(groups, feeders).map((group) => decide(group, feeders, slackKw, order));
    planned = withDecisions(planned, decided, waitsFor);
    allocation = allocate(feeders, planned);
  }
  return { ...allocation, devices: planned, waitsFor };
}

/** EVs that one limit holds at one stage of the level axis; only those compete with each other. */
interface Group {
  readonly boundBy: number;
  readonly members: readonly Member[];
  readonly sharedKw: number;
}

interface Member {
  readonly index: number;
  readonly steerable: SteerableDevice;
  readonly powerKw: number;
}

interface Decision {
  readonly boundBy: number;
  readonly kept: readonly Member[];
  readonly wait: readonly Member[];
}

function groupsBelowMinimum(devices: readonly SteerableDevice[], allocation: Allocation): Group[] {
  const concerned = new Set<number>();
  devices.forEach(({ want }, index) => {
    const powerKw = real(allocation.powerKw, index);
    if (powerKw > ON_LIMIT_KW && powerKw < want.minimumKw - ON_LIMIT_KW)
      concerned.add(groupOf(want, allocation, index));
  });
  if (concerned.size === 0) return [];
  const groups = new Map<number, Member[]>([...concerned].map((group) => [group, []]));
  devices.forEach((steerable, index) => {
    const powerKw = real(allocation.powerKw, index);
    if (steerable.device.deviceType !== 'ev' || powerKw <= ON_LIMIT_KW) return;
    groups.get(groupOf(steerable.want, allocation, index))?.push({ index, steerable, powerKw });
  });
  return [...groups.values()].map((members) => ({
    members,
    boundBy: whole(allocation.boundBy, members[0]?.index ?? -1),
    sharedKw: members.reduce((sum, { powerKw }) => sum + powerKw, 0),
  }));
}

/** One number for the limit that holds it, the direction it was moved in, and whether it has weight at all. */
function groupOf({ weight }: Want, { boundBy, level }: Allocation, index: number): number {
  return (whole(boundBy, index) + 1) * 4 + (real(level, index) < 0 ? 2 : 0) + (weight > 0 ? 1 : 0);
}

/** A deeper node has the larger depth, not the larger index. */
function deepest(groups: readonly Group[], { tree }: Feeders): Group[] {
  const depthOf = (node: number): number => (node < 0 ? 0 : 1 + depthOf(whole(tree.parentOf, node)));
  const most = Math.max(...groups.map(({ boundBy }) => depthOf(boundBy)));
  return groups.filter(({ boundBy }) => depthOf(boundBy) === most);
}

/**
 * In line: whose minimum no longer fits under the group's limit waits with all behind it; under a limit between, it
 * alone.
 */
function decide(
  { boundBy, members, sharedKw }: Group,
  { tree }: Feeders,
  slackKw: Float64Array,
  order: WaitingOrder,
): Decision {
  const below = (node: number): number[] =>
    node < 0 || node === boundBy ? [] : [node, ...below(whole(tree.parentOf, node))];
  const leftBelow = slackKw.slice();
  for (const { steerable, powerKw } of members) {
    for (const node of below(steerable.node)) addTo(leftBelow, node, powerKw);
  }
  let leftKw = sharedKw + ON_LIMIT_KW;
  const kept: Member[] = [];
  const wait: Member[] = [];
  const waitsFirst = order(members.map(({ steerable }) => steerable));
  for (const member of [...members].sort((a, b) => waitsFirst(b.steerable, a.steerable))) {
    const { minimumKw } = member.steerable.want;
    if (minimumKw <= 0) continue; // it gives way as far as it must
    const path = below(member.steerable.node);
    if (leftKw >= minimumKw && path.some((node) => real(leftBelow, node) + ON_LIMIT_KW < minimumKw)) {
      wait.push(member);
      continue;
    }
    leftKw -= minimumKw;
    for (const node of path) addTo(leftBelow, node, -minimumKw);
    (leftKw >= 0 ? kept : wait).push(member);
  }
  return { boundBy, kept, wait };
}

const allWait = ({ boundBy, members }: Group): Decision => ({
  boundBy,
  kept: members.filter(({ steerable, powerKw }) => powerKw >= steerable.want.minimumKw - ON_LIMIT_KW),
  wait: members.filter(({ steerable, powerKw }) => powerKw < steerable.want.minimumKw - ON_LIMIT_KW),
});

function withDecisions(
  devices: readonly SteerableDevice[],
  decisions: readonly Decision[],
  waitsFor: Int32Array,
): SteerableDevice[] {
  const planned = [...devices];
  for (const { boundBy, kept, wait } of decisions) {
    for (const { index, steerable } of kept) planned[index] = keptAtLeastAtMinimum(steerable);
    for (const { index, steerable } of wait) {
      planned[index] = { ...steerable, want: { ...steerable.want, lowKw: 0, wantKw: 0, freeKw: 0, highKw: 0 } };
      waitsFor[index] = Math.max(boundBy, 0);
    }
  }
  return planned;
}

function keptAtLeastAtMinimum(steerable: SteerableDevice): SteerableDevice {
  const { want } = steerable;
  if (want.lowKw >= want.minimumKw) return steerable;
  const atLeast = (kw: number) => Math.max(kw, want.minimumKw);
  return {
    ...steerable,
    want: { ...want, lowKw: want.minimumKw, wantKw: atLeast(want.wantKw), freeKw: atLeast(want.freeKw) },
  };
}
