/**
 * What a dispatch achieved, from what was asked and measured while it was active.
 *
 * The baseline is the flow measured when it began, so delivered energy is against "everything would have stayed as it
 * was": simple, the same for everybody, and known beforehand. It says nothing of what the weather did meanwhile.
 */

/**
 * One cycle of an active dispatch: bounds asked of the flow (null = none on that side) and the metered flow, kW,
 * import positive.
 */
export interface Measurement {
  readonly atMs: number;
  readonly highKw: number | null;
  readonly lowKw: number | null;
  /** null without a fresh meter. */
  readonly measuredKw: number | null;
}

export interface DispatchReportInput {
  readonly beginsAtMs: number;
  readonly endsAtMs: number;
  /** Flow measured when it began, kW; null when there was no meter. */
  readonly baselineKw: number | null;
  /** In any order. */
  readonly measurements: readonly Measurement[];
  /** Length of the intervals of the report, s. Default 900, what is settled by in most markets. */
  readonly intervalSeconds?: number;
  /** Within this of what was asked counts as kept, kW. Default 0.1, the default deadband. */
  readonly toleranceKw?: number;
}

/** Power and energy over a stretch of time. Without any measurement the powers are null, never 0. */
export interface DeliverySummary {
  readonly fromMs: number;
  readonly toMs: number;
  readonly measuredSeconds: number;
  readonly unmeasuredSeconds: number;
  readonly meanKw: number | null;
  readonly minKw: number | null;
  readonly maxKw: number | null;
  /**
   * Energy by which the flow was moved from the baseline in the direction asked, kWh; negative when it went the other
   * way.
   */
  readonly deliveredKwh: number | null;
  /** Share of the measured time in which the flow was within what was asked, 0..100. */
  readonly compliancePercent: number | null;
}

export interface DispatchReport extends DeliverySummary {
  readonly baselineKw: number | null;
  readonly intervals: readonly DeliverySummary[];
}

const DEFAULT_INTERVAL_SECONDS = 900;
const DEFAULT_TOLERANCE_KW = 0.1;
/** A measurement stands for the time until the next, but no longer than this: a longer gap was not measured. */
const LONGEST_HOLD_MS = 60_000;
const HOUR_MS = 3_600_000;

/** The report of a whole dispatch and of each interval of it. */
export function dispatchReport(input: DispatchReportInput): DispatchReport {
  const { beginsAtMs, endsAtMs, baselineKw, intervalSeconds = DEFAULT_INTERVAL_SECONDS } = input;
  const stretches = heldStretches(input);
  const byInterval = splitBy(intervalSeconds * 1000, beginsAtMs, stretches);
  const intervals: DeliverySummary[] = [];
  for (let fromMs = beginsAtMs; fromMs < endsAtMs; fromMs += intervalSeconds * 1000) {
    const toMs = Math.min(fromMs + intervalSeconds * 1000, endsAtMs);
    intervals.push({ fromMs, toMs, ...summarise(input, byInterval.get(intervals.length) ?? [], toMs - fromMs) });
  }
  const whole = summarise(input, stretches, endsAtMs - beginsAtMs);
  return { baselineKw, fromMs: beginsAtMs, toMs: endsAtMs, ...whole, intervals };
}

interface Stretch {
  readonly fromMs: number;
  readonly toMs: number;
  readonly measuredKw: number;
  readonly sample: Measurement;
}

function heldStretches({ beginsAtMs, endsAtMs, measurements }: DispatchReportInput): Stretch[] {
  const sorted = [...measurements].sort((a, b) => a.atMs - b.atMs);
  return sorted.flatMap((sample, index) => {
    const { atMs, measuredKw } = sample;
    const untilMs = Math.min(sorted[index + 1]?.atMs ?? endsAtMs, atMs + LONGEST_HOLD_MS, endsAtMs);
    const fromMs = Math.max(atMs, beginsAtMs);
    return measuredKw === null || untilMs <= fromMs ? [] : [{ fromMs, toMs: untilMs, measuredKw, sample }];
  });
}

function splitBy(lengthMs: number, beginsAtMs: number, stretches: readonly Stretch[]): Map<number, Stretch[]> {
  const parts = new Map<number, Stretch[]>();
  for (const stretch of stretches) {
    for (let fromMs = stretch.fromMs; fromMs < stretch.toMs;) {
      const interval = Math.floor((fromMs - beginsAtMs) / lengthMs);
      const toMs = Math.min(stretch.toMs, beginsAtMs + (interval + 1) * lengthMs);
      const part = { ...stretch, fromMs, toMs };
      const others = parts.get(interval);
      if (others === undefined) parts.set(interval, [part]);
      else others.push(part);
      fromMs = toMs;
    }
  }
  return parts;
}

function summarise(
  { baselineKw, toleranceKw = DEFAULT_TOLERANCE_KW }: DispatchReportInput,
  stretches: readonly Stretch[],
  lengthMs: number,
): Omit<DeliverySummary, 'fromMs' | 'toMs'> {
  let [measuredMs, keptMs, energyKwMs, deliveredKwMs, minKw, maxKw] = [0, 0, 0, 0, Infinity, -Infinity];
  for (const stretch of stretches) {
    const ms = stretch.toMs - stretch.fromMs;
    measuredMs += ms;
    if (isKept(stretch, toleranceKw)) keptMs += ms;
    energyKwMs += stretch.measuredKw * ms;
    deliveredKwMs += deliveredKw(stretch, baselineKw ?? 0) * ms;
    minKw = Math.min(minKw, stretch.measuredKw);
    maxKw = Math.max(maxKw, stretch.measuredKw);
  }
  const isMeasured = measuredMs > 0;
  return {
    measuredSeconds: measuredMs / 1000,
    unmeasuredSeconds: (lengthMs - measuredMs) / 1000,
    meanKw: isMeasured ? energyKwMs / measuredMs : null,
    minKw: isMeasured ? minKw : null,
    maxKw: isMeasured ? maxKw : null,
    deliveredKwh: isMeasured && baselineKw !== null ? deliveredKwMs / HOUR_MS : null,
    compliancePercent: isMeasured ? (100 * keptMs) / measuredMs : null,
  };
}

const isKept = ({ measuredKw, sample: { highKw, lowKw } }: Stretch, toleranceKw: number): boolean =>
  measuredKw <= (highKw ?? Infinity) + toleranceKw && measuredKw >= (lowKw ?? -Infinity) - toleranceKw;

/**
 * Less import is delivered where the baseline was above what was asked, more where it was below; nothing was asked in
 * between.
 */
function deliveredKw({ measuredKw, sample: { highKw, lowKw } }: Stretch, baselineKw: number): number {
  if (highKw !== null && baselineKw > highKw) return baselineKw - measuredKw;
  if (lowKw !== null && baselineKw < lowKw) return measuredKw - baselineKw;
  return 0;
}
