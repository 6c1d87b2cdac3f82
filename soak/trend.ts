/** Something measured again and again: ms since the beginning, and the value. */
export interface Point {
  readonly atMs: number;
  readonly value: number;
}

/** What a series does after its warm-up. */
export interface Trend {
  readonly name: string;
  /** Mean of the first and of the last tenth after the warm-up. */
  readonly atFirst: number;
  readonly atLast: number;
  readonly most: number;
  /** Median of all slopes between two points (Theil and Sen), per hour: a few outliers do not move it. */
  readonly perHour: number;
  readonly samples: number;
  /** What may be, in words, and whether it is so. */
  readonly allowed: string;
  readonly holds: boolean;
}

/**
 * What a series may do. `grows`: not more per hour than this, or than `growsByShare` of where it stood; and never less
 * than `slack` in all is held against it, since a short run sees noise as a slope. `most`: never above this.
 * `keepsRate`: a table that grows by what comes in may do so, and not faster and faster.
 */
export type Allowance =
  | { readonly kind: 'flat'; readonly growsByShare: number; readonly slack: number }
  | { readonly kind: 'bounded'; readonly most: number }
  | { readonly kind: 'steady'; readonly fasterByShare: number; readonly slack: number };

export interface Series {
  readonly name: string;
  readonly points: readonly Point[];
  readonly allowance: Allowance;
}

const HOUR_MS = 3_600_000;
/** Points beyond this are thinned out: slopes are counted in pairs. */
const MOST_POINTS = 300;
const LEAST_POINTS = 4;

/** Judges a series; too few points are no proof. */
export function trendOf({ name, points, allowance }: Series): Trend {
  const thin = thinned(points);
  const tenth = Math.max(1, Math.floor(thin.length / 10));
  const atFirst = mean(thin.slice(0, tenth));
  const atLast = mean(thin.slice(-tenth));
  const most = Math.max(0, ...points.map(({ value }) => value));
  const perHour = medianSlope(thin) * HOUR_MS;
  const { allowed, holds } = judged(thin, allowance, { atFirst, most, perHour });
  return {
    ...{ name, atFirst, atLast, most, perHour, samples: points.length, allowed },
    holds: holds && points.length >= LEAST_POINTS,
  };
}

function judged(
  points: readonly Point[],
  allowance: Allowance,
  { atFirst, most, perHour }: Pick<Trend, 'atFirst' | 'most' | 'perHour'>,
): Pick<Trend, 'allowed' | 'holds'> {
  const hours = lengthOf(points) / HOUR_MS;
  switch (allowance.kind) {
    case 'flat': {
      const { growsByShare, slack } = allowance;
      return {
        allowed: `≤ ${percent(growsByShare)} an hour, or ${String(slack)} in all`,
        holds: perHour <= growsByShare * atFirst || perHour * hours <= slack,
      };
    }
    case 'bounded':
      return { allowed: `≤ ${String(allowance.most)}`, holds: most <= allowance.most };
    case 'steady': {
      const { fasterByShare, slack } = allowance;
      const middle = points.length >> 1;
      const before = medianSlope(points.slice(0, middle + 1));
      const after = medianSlope(points.slice(middle));
      const more = (after - before) * (lengthOf(points) / 2);
      return {
        allowed: `second half ≤ ${percent(fasterByShare)} faster`,
        holds: after <= before * (1 + fasterByShare) || more <= slack,
      };
    }
  }
}

function medianSlope(points: readonly Point[]): number {
  const slopes = points.flatMap((from, index) =>
    points
      .slice(index + 1)
      .flatMap((to) => (to.atMs > from.atMs ? [(to.value - from.value) / (to.atMs - from.atMs)] : [])),
  );
  slopes.sort((a, b) => a - b);
  return slopes[slopes.length >> 1] ?? 0;
}

const lengthOf = (points: readonly Point[]): number => (points.at(-1)?.atMs ?? 0) - (points[0]?.atMs ?? 0);

const mean = (points: readonly Point[]): number =>
  points.length === 0 ? 0 : points.reduce((sum, { value }) => sum + value, 0) / points.length;

function thinned(points: readonly Point[]): readonly Point[] {
  const step = Math.ceil(points.length / MOST_POINTS);
  return step <= 1 ? points : points.filter((_, index) => index % step === 0);
}

const percent = (share: number): string => `${String(Math.round(share * 100))} %`;
