import type { ClosedRun } from './job-ports';

/** A run that is not over, says its row. */
export interface UnfinishedRun {
  readonly runId: string;
  readonly jobName: string;
  readonly workflowId: string;
  readonly input: unknown;
  readonly waiting: boolean;
}

export interface RunSupervision {
  readonly runs: {
    /** Asked for longer than a few seconds ago and not over; the oldest first, a few hundred at most. */
    unfinished(): Promise<readonly UnfinishedRun[]>;
    settle(runId: string, closed: ClosedRun): Promise<void>;
    /** Gives the places of runs away that are over and whose workers have been silent for long. */
    releaseSilent(): Promise<void>;
  };
  /** `closed`: the workflow was there before, and has ended. */
  startJobRun(run: UnfinishedRun): Promise<'started' | 'closed'>;
  /** How the workflow has ended; null while it is open. */
  closedAs(workflowId: string): Promise<ClosedRun | null>;
}

/**
 * Makes rows and workflows of runs agree again: a run whose workflow was never started (its API died in between, or
 * Temporal's database was lost) is started, one whose workflow has ended without saying so is settled.
 *
 * @returns the ids of the runs that were started.
 */
export async function superviseRuns(supervision: RunSupervision, running: ReadonlySet<string>): Promise<string[]> {
  const started: string[] = [];
  for (const run of await supervision.runs.unfinished()) {
    if (running.has(run.workflowId)) continue;
    if (run.waiting && (await supervision.startJobRun(run)) === 'started') {
      started.push(run.runId);
      continue;
    }
    const closed = await supervision.closedAs(run.workflowId);
    if (closed !== null) await supervision.runs.settle(run.runId, closed);
  }
  await supervision.runs.releaseSilent();
  return started;
}
