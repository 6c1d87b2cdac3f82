import type { LoopRecord } from '../db/control-loop-reads';
import type { DeviceCounts } from '../db/devices';
import type { DispatchInForce } from '../db/dispatches';
import type { MeteredFeeder } from '../db/feeders';
import type { LimitInForce, NodePlan } from '../domain/plan';
import { isLoopOk } from './health/loop-health';
import type { FeederView } from './schemas/feeder';

export interface FleetPicture {
  readonly feeders: readonly MeteredFeeder[];
  readonly loops: readonly LoopRecord[];
  readonly counts: readonly DeviceCounts[];
  readonly dispatches: readonly DispatchInForce[];
}

export interface FeederViewOptions {
  readonly staleSeconds: number;
  readonly loopUrl: (rootFeederId: string) => string | null;
}

/** What an operator sees of each feeder: registry, meter, last plan and devices put together; same order as `feeders`. */
export function feederViews(picture: FleetPicture, options: FeederViewOptions): FeederView[] {
  const loops = new Map(picture.loops.map((loop) => [loop.rootFeederId, loop]));
  const nodes = new Map(
    picture.loops.flatMap((loop) => loop.last?.nodes ?? []).map((node) => [node.feederId, node] as const),
  );
  const counts = countsOfSubtrees(picture.feeders, picture.counts);
  return picture.feeders.map((feeder) => {
    const node = nodes.get(feeder.feederId);
    const limitsInForce = limitsOf(feeder, node);
    const { meter, ...record } = feeder;
    return {
      ...record,
      flow:
        meter === null
          ? null
          : {
              kw: meter.flowKw,
              sampledAt: meter.sampledAt,
              ageSeconds: meter.ageSeconds,
              stale: meter.ageSeconds > options.staleSeconds,
            },
      planned: node === undefined ? null : { highKw: node.plannedHighKw, lowKw: node.plannedLowKw },
      limitsInForce,
      headroom:
        meter === null
          ? null
          : { importKw: limitsInForce.high.kw - meter.flowKw, exportKw: meter.flowKw - limitsInForce.low.kw },
      binding: node?.binding ?? 'none',
      missingKw: node?.missingKw ?? 0,
      lastCycle: lastCycleOf(loops.get(feeder.rootFeederId)),
      devices: counts.get(feeder.feederId) ?? NO_DEVICES,
      activeDispatches: picture.dispatches
        .filter(({ feederId }) => feederId === feeder.feederId)
        .map(({ dispatchId, importLimitKw, exportLimitKw, targetKw, endsAt }) => ({
          ...{ dispatchId, importLimitKw, exportLimitKw, targetKw, endsAt },
        })),
      temporalUrl: options.loopUrl(feeder.rootFeederId),
    };
  });
}

/**
 * How badly a feeder needs a look: over its limit by so many kW first, then a loop that stands still, then the share of
 * its limit that is used. Higher is worse.
 */
export function badness({ flow, limitsInForce: { high, low }, missingKw, lastCycle, enabled }: FeederView): number {
  const flowKw = flow?.kw ?? 0;
  const overKw = Math.max(missingKw, flow === null ? 0 : Math.max(flowKw - high.kw, low.kw - flowKw));
  if (overKw > 0) return 1_000 + overKw;
  const used = Math.max(share(flowKw, high.kw), share(0 - flowKw, 0 - low.kw));
  return enabled && lastCycle?.ok !== true ? 100 + used : used;
}

/** 0..1 of a limit; one of 0 kW is wholly used by anything. */
function share(flowKw: number, limitKw: number): number {
  if (flowKw <= 0) return 0;
  return limitKw <= 0 ? 1 : Math.min(1, flowKw / limitKw);
}

function limitsOf(
  { importLimitKw, exportLimitKw }: MeteredFeeder,
  node: NodePlan | undefined,
): { high: LimitInForce; low: LimitInForce } {
  if (node !== undefined) return { high: node.high, low: node.low };
  const source = { kind: 'static' } as const;
  return { high: { kw: importLimitKw, source }, low: { kw: 0 - exportLimitKw, source } };
}

function lastCycleOf(loop: LoopRecord | undefined): FeederView['lastCycle'] {
  if (loop === undefined || loop.last === null) return null;
  const { cycle, finishedAt, finishedAgeSeconds } = loop.last;
  return { cycle, finishedAt, ageSeconds: finishedAgeSeconds, ok: isLoopOk(loop, finishedAgeSeconds) };
}

type Counts = FeederView['devices'];
const NO_DEVICES: Counts = { total: 0, online: 0, stale: 0, offline: 0, notFollowing: 0 };

/** Counts of each node with all that is below it. */
function countsOfSubtrees(feeders: readonly MeteredFeeder[], counts: readonly DeviceCounts[]): Map<string, Counts> {
  const parents = new Map(feeders.map(({ feederId, parentId }) => [feederId, parentId]));
  const sums = new Map<string, Counts>();
  for (const own of counts) {
    for (let node: string | null = own.feederId; node !== null; node = parents.get(node) ?? null) {
      const sum = sums.get(node) ?? NO_DEVICES;
      sums.set(node, {
        total: sum.total + own.total,
        online: sum.online + own.online,
        stale: sum.stale + own.stale,
        offline: sum.offline + own.offline,
        notFollowing: sum.notFollowing + own.notFollowing,
      });
    }
  }
  return sums;
}
