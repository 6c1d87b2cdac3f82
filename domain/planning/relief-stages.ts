import type { LevelCurves } from '../allocation/level-curves';

/**
 * One stretch of the level axis, one unit long, in which one kind of device moves while all others stand still.
 *
 * Inside it all devices share one number, the share in kW per unit of weight: a helper gives weight x share,
 * a device that gives way keeps weight x share. That one number is the same for all is what makes it fair.
 */
export interface ReliefStage {
  /** The end nearer to level 0. */
  readonly from: number;
  readonly to: number;
  /** The share at which the last device of the stage is at its end, kW. */
  fullShareKw: number;
}

/** How one device passes through one stage; `leastKw` and `mostKw` are >= 0, whatever the sign of its power. */
export interface StageMove {
  readonly stage: ReliefStage;
  /** A helper gives clamp(weight x share, 0, most); what gives way keeps clamp(weight x share, least, most). */
  readonly kind: 'give' | 'keep';
  /** > 0. Devices without weight have a stage of their own, where all count 1. */
  readonly weight: number;
  readonly leastKw: number;
  readonly mostKw: number;
}

export const reliefStage = (from: number, to: number): ReliefStage => ({ from, to, fullShareKw: 0 });

/** Makes the stage long enough for this device. All devices are announced before the first is placed. */
export function announce({ stage, weight, leastKw, mostKw }: StageMove): void {
  if (mostKw > leastKw) stage.fullShareKw = Math.max(stage.fullShareKw, mostKw / weight);
}

/**
 * Adds the two points of a move below level 0, left to right; `wantKw` is the power at level 0. False when there is
 * nothing to move.
 */
export function placeBelow(curves: LevelCurves, move: StageMove, wantKw: number): boolean {
  if (move.mostKw <= move.leastKw) return false;
  if (move.kind === 'give') {
    curves.point(givingLevel(move, move.mostKw), wantKw - move.mostKw).point(move.stage.from, wantKw);
  } else {
    const offsetKw = wantKw - move.mostKw;
    curves
      .point(keepingLevel(move, move.leastKw), offsetKw + move.leastKw)
      .point(keepingLevel(move, move.mostKw), wantKw);
  }
  return true;
}

/** The same for a move above level 0: the mirror image. */
export function placeAbove(curves: LevelCurves, move: StageMove, wantKw: number): boolean {
  if (move.mostKw <= move.leastKw) return false;
  if (move.kind === 'give') {
    curves.point(move.stage.from, wantKw).point(givingLevel(move, move.mostKw), wantKw + move.mostKw);
  } else {
    const offsetKw = wantKw + move.mostKw;
    curves
      .point(keepingLevel(move, move.mostKw), wantKw)
      .point(keepingLevel(move, move.leastKw), offsetKw - move.leastKw);
  }
  return true;
}

const keepingLevel = ({ stage, weight }: StageMove, kw: number): number =>
  stage.to + (stage.from - stage.to) * (kw / weight / stage.fullShareKw);

const givingLevel = ({ stage, weight }: StageMove, kw: number): number =>
  stage.from + (stage.to - stage.from) * (kw / weight / stage.fullShareKw);
