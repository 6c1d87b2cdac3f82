import type { ChaosRecords, FeederFlow, FeederLimits, StoredDispatch, StoredReading } from '../records';
import { finding, type Finding } from './finding';

/** `TELEMETRY_STALE_SECONDS`. */
const STALE_MS = 30_000;
/** A new limit, or fresh telemetry after none, is in force at the meter after this: two intervals, and a charger's ramp. */
const SETTLE_MS = 25_000;
/** Without a cycle for this long, nobody answers what homes do. */
const CONTROL_AWAY_MS = 20_000;
/** Over for longer than a cycle: while devices go from one set of setpoints to the next, they do not all ramp alike, ms. */
const LASTS_MS = 6_000;
/** Homes change between two cycles, and nobody controls that. */
const TOLERANCE_SHARE = 0.03;
const TOLERANCE_KW = 1;

type Span = readonly [fromMs: number, toMs: number];

/**
 * No meter shows more than the limit in force while telemetry was fresh. How long control may be away is another promise:
 * while it is, devices keep the limit with what homes drew when it planned last, also when their setpoints end meanwhile, and
 * what homes add to that is counted and not held against anybody. The limit of a dispatch counts from the first cycle that
 * could plan under it.
 */
export function checkLimits(
  records: Pick<ChaosRecords, 'limits' | 'telemetry' | 'dispatches' | 'setpoints' | 'beganAtMs'>,
): Finding[] {
  const { limits, telemetry, beganAtMs } = records;
  const feeders = new Map(limits.feeders.map((feeder) => [feeder.feederId, feeder]));
  const stale = staleByRoot(limits.devices, telemetry.stored, beganAtMs);
  const away = awayByRoot(records);
  const households = householdsOf(limits.flows);
  const judged: FeederFlow[] = [];
  const overSince = new Map<string, number>();
  let overByHomes = 0;
  const against: string[] = [];
  for (const flow of limits.flows) {
    const feeder = feeders.get(flow.feederId);
    if (feeder === undefined || flow.atMs < beganAtMs) continue;
    const window: Span = [flow.atMs - SETTLE_MS, flow.atMs];
    if ((stale.get(feeder.rootFeederId) ?? []).some((span) => overlaps(span, window))) continue;
    const { importKw, exportKw } = loosest(feeder, holding(records, feeder), window);
    const overWith = (kw: number): string[] => [
      ...(kw > withTolerance(importKw) ? [told(flow, importKw)] : []),
      ...(kw < -withTolerance(exportKw) ? [told(flow, -exportKw)] : []),
    ];
    const absence = (away.get(feeder.rootFeederId) ?? []).find((span) => overlaps(span, window));
    const addedByHomesKw =
      absence === undefined ? 0 : flow.householdsKw - households(flow.feederId, absence[0] - CONTROL_AWAY_MS);
    const isByHomes = overWith(flow.flowKw - addedByHomesKw).length === 0;
    const over = isByHomes ? [] : overWith(flow.flowKw);
    if (isByHomes) overByHomes += overWith(flow.flowKw).length;
    judged.push(flow);
    const since = overSince.get(flow.feederId) ?? flow.atMs;
    if (over.length === 0) overSince.delete(flow.feederId);
    else overSince.set(flow.feederId, since);
    if (flow.atMs - since >= LASTS_MS) against.push(...over);
  }
  return [
    finding('limits held at the meter while telemetry was fresh', against, {
      looked: judged.length,
      at: `of ${String(limits.flows.length)} readings of meters judged, ${String(overByHomes)} over a limit by what homes added while control was away`,
    }),
  ];
}

/** What homes drew through a feeder when control planned last. */
function householdsOf(flows: readonly FeederFlow[]): (feederId: string, atMs: number) => number {
  const series = new Map<string, FeederFlow[]>();
  for (const flow of flows) {
    const list = series.get(flow.feederId);
    if (list === undefined) series.set(flow.feederId, [flow]);
    else list.push(flow);
  }
  return (feederId, atMs) => {
    const list = series.get(feederId) ?? [];
    return (list.findLast((flow) => flow.atMs <= atMs) ?? list[0])?.householdsKw ?? NaN;
  };
}

const told = ({ feederId, flowKw, atMs }: FeederFlow, limitKw: number): string =>
  `${feederId} ${flowKw.toFixed(1)} of ${limitKw.toFixed(1)} kW at ${new Date(atMs).toISOString()}`;

const withTolerance = (kw: number): number => kw * (1 + TOLERANCE_SHARE) + TOLERANCE_KW;

/** When the newest stored reading of some device of a tree was older than what counts as fresh. */
function staleByRoot(
  devices: ChaosRecords['limits']['devices'],
  stored: readonly StoredReading[],
  fromMs: number,
): ReadonlyMap<string, Span[]> {
  const readings = new Map<string, StoredReading[]>();
  for (const reading of stored) {
    const list = readings.get(reading.deviceId);
    if (list === undefined) readings.set(reading.deviceId, [reading]);
    else list.push(reading);
  }
  const spans = new Map<string, Span[]>();
  for (const { deviceId, rootFeederId } of devices) {
    const found = staleSpans(readings.get(deviceId) ?? [], fromMs - SETTLE_MS);
    spans.set(rootFeederId, [...(spans.get(rootFeederId) ?? []), ...found]);
  }
  return spans;
}

function staleSpans(readings: readonly StoredReading[], fromMs: number): Span[] {
  const spans: Span[] = [];
  let freshUntil = fromMs;
  for (const { sampledAtMs, receivedAtMs } of [...readings].sort((a, b) => a.receivedAtMs - b.receivedAtMs)) {
    if (receivedAtMs > freshUntil) spans.push([freshUntil, receivedAtMs]);
    freshUntil = Math.max(freshUntil, sampledAtMs + STALE_MS);
  }
  spans.push([freshUntil, Infinity]);
  return spans;
}

/** When the newest cycle of a tree was older than what bridges an outage. */
function awayByRoot({ limits, setpoints }: Pick<ChaosRecords, 'limits' | 'setpoints'>): ReadonlyMap<string, Span[]> {
  const roots = new Set(limits.feeders.map(({ rootFeederId }) => rootFeederId));
  return new Map(
    [...roots].map((root) => {
      const cycles = setpoints.plans
        .filter(({ rootFeederId }) => rootFeederId === root)
        .map((plan) => plan.plannedAtMs);
      const moments = [...cycles.sort((a, b) => a - b), Infinity];
      const spans = moments.slice(1).map((next, index): Span => [(moments[index] ?? 0) + CONTROL_AWAY_MS, next]);
      return [root, spans.filter(([from, to]) => from < to)];
    }),
  );
}

interface Holding {
  readonly dispatch: StoredDispatch;
  readonly span: Span;
}

/** From its first cycle to its end, as it really was. */
function holding(
  { dispatches, setpoints }: Pick<ChaosRecords, 'dispatches' | 'setpoints'>,
  feeder: FeederLimits,
): Holding[] {
  return dispatches.stored
    .filter(({ feederId }) => feederId === feeder.feederId)
    .flatMap((dispatch) => {
      const closed = dispatch.history.find(({ state }) => state !== 'scheduled' && state !== 'active');
      const endMs = Math.min(dispatch.endsAtMs, closed?.atMs ?? Infinity);
      const cycles = setpoints.plans.filter(
        ({ rootFeederId, plannedAtMs }) => rootFeederId === feeder.rootFeederId && plannedAtMs >= dispatch.beginsAtMs,
      );
      const firstMs = Math.min(Infinity, ...cycles.map(({ plannedAtMs }) => plannedAtMs));
      return firstMs < endMs ? [{ dispatch, span: [firstMs, endMs] as const }] : [];
    });
}

/** What was allowed at some moment of the window: the static limit, or less where a dispatch held all through it. */
function loosest(feeder: FeederLimits, held: readonly Holding[], window: Span): { importKw: number; exportKw: number } {
  const through = held.filter(({ span }) => span[0] <= window[0] && span[1] >= window[1]);
  const least = (limit: number, of: (dispatch: StoredDispatch) => number | null): number =>
    Math.min(limit, ...through.map(({ dispatch }) => of(dispatch) ?? Infinity));
  return {
    importKw: least(feeder.importLimitKw, ({ importLimitKw }) => importLimitKw),
    exportKw: least(feeder.exportLimitKw, ({ exportLimitKw }) => exportLimitKw),
  };
}

const overlaps = (a: Span, b: Span): boolean => a[0] < b[1] && b[0] < a[1];
