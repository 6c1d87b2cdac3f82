import type { DrillName } from '../domain/drills';
import type { CanaryOutcome, CanaryProbe } from './canary';
import type { GaugeSeen } from './metrics-watch';

/** A part that is broken on purpose, and what must come of it. */
export interface Drill {
  readonly name: DrillName;
  /** Which of the ways to break it: `planned`, `crash`. */
  readonly scenario: string;
  /** What we believe, in one sentence that the drill can show to be wrong. */
  readonly hypothesis: string;
  /** Who feels it, and for how long at most. */
  readonly blastRadius: string;
  readonly budget: DrillBudget;
  /** The gauge that people are alerted by, and what it must show. */
  readonly gauge: { readonly name: string; readonly expected: 'dips' | 'stays-up' };
  readonly canary: CanaryProbe;
  /** Breaks it; resolves when that is done and the part is on its way back. */
  act(tools: DrillTools): Promise<void>;
  /** Once all is back: what else must hold, and mending what the act left. The canary goes on meanwhile. */
  aftermath(tools: DrillTools): Promise<readonly Finding[]>;
  /** Undoes what the act may have left half done; called when it failed, or was cut short. Safe to repeat. */
  recover(): Promise<void>;
}

export interface DrillBudget {
  /** Longest time without an acknowledged write, ms. */
  readonly gapMs: number;
  /** Most attempts of the canary that fail; null: they are counted only. */
  readonly errors: number | null;
  /** Most acknowledged writes that are gone; null: they are counted only. */
  readonly lost: number | null;
  /** From the end of the act until writes, gauge and devices are back, ms. */
  readonly recoveryMs: number;
}

/** What the act and the aftermath are given. */
export interface DrillTools {
  readonly signal: AbortSignal;
  /** Says what is done now: to the log, and to the report with its time. */
  step(note: string): void;
  /** A figure for the report, under a name with its unit. */
  figure(name: string, value: number): void;
}

/** Something that must hold, and whether it does. */
export interface Finding {
  readonly what: string;
  readonly holds: boolean;
  readonly detail: string;
}

export interface DrillStep {
  readonly note: string;
  /** Since the beginning of the drill, ms. */
  readonly atMs: number;
}

/** All of it is kept: as a row in Postgres, and as evidence of the run. */
export interface DrillReport {
  readonly runId: string;
  readonly drill: DrillName;
  readonly scenario: string;
  readonly hypothesis: string;
  readonly blastRadius: string;
  readonly budget: DrillBudget;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly verdict: 'passed' | 'failed';
  /** Why it failed, a sentence each. */
  readonly faults: readonly string[];
  readonly canary: CanaryOutcome;
  readonly gauge: GaugeSeen & { readonly name: string; readonly expected: Drill['gauge']['expected'] };
  readonly offlineDevices: { readonly before: number; readonly after: number };
  readonly findings: readonly Finding[];
  readonly steps: readonly DrillStep[];
  readonly figures: Readonly<Record<string, number>>;
}

/** A drill that was not begun. */
export class DrillRefused extends Error {
  override readonly name = 'DrillRefused';

  constructor(readonly reasons: readonly string[]) {
    super(`the drill is refused: ${reasons.join('; ')}`);
  }
}
