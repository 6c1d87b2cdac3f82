import type { ContentCompared } from './compare';
import type { ControlOutcome } from './negative-controls';
import type { QuarantinedAnswers } from './quarantined-api';

/** What a drill has found, as it goes: a drill that fails leaves what it knew until then. */
export interface DrillReport {
  readonly backupId: string;
  readonly objectKey: string;
  /** The moment that the restored data shows. */
  readonly takenAt: string;
  readonly databaseBytes: number;
  readonly storedBytes: number;
  /** `scratch`, or host and port of the server it restored to. */
  readonly target: string;
  readonly steps: readonly { readonly name: string; readonly seconds: number }[];
  readonly compared: ContentCompared | null;
  readonly rolesMade: readonly string[] | null;
  /** Settings of roles, and extensions, that the copy lacks: they have no effect on the data. */
  readonly differences: readonly string[] | null;
  /** How the application's role logged in: with a password given for the drill, or by a login of the drill's own in it. */
  readonly loggedInAs: 'the role itself' | 'a member of the role' | null;
  readonly application: QuarantinedAnswers | null;
  readonly controls: readonly ControlOutcome[] | null;
  /** From the first byte fetched to the last question that the application answered, s. */
  readonly rtoSeconds: number | null;
  /** Age of the data when the drill began: what a disaster at that moment would have lost, s. */
  readonly rpoSeconds: number;
}

export interface DrillTargets {
  readonly rtoSeconds: number;
  readonly rpoSeconds: number;
}

/** What was promised and not kept, a sentence each. */
export function missedTargets({ rtoSeconds, rpoSeconds }: DrillReport, targets: DrillTargets): string[] {
  const missed: string[] = [];
  if (rtoSeconds !== null && rtoSeconds > targets.rtoSeconds)
    missed.push(`restoring took ${rtoSeconds.toFixed(0)} s, promised are ${String(targets.rtoSeconds)} s`);
  if (rpoSeconds > targets.rpoSeconds)
    missed.push(`the data was ${rpoSeconds.toFixed(0)} s old, promised are ${String(targets.rpoSeconds)} s`);
  return missed;
}
