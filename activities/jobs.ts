import type { FinishedState, JobBegun, JobRunFailure } from '../domain/job-run';
import { beginJobRun, type BeginJobRunInput } from './begin-job-run';
import type { JobActivityPorts } from './job-ports';
import { runJobStep, type JobStepCall } from './run-job-step';

export interface JobRunEnd {
  readonly runId: string;
  readonly state: FinishedState;
  readonly result: unknown;
  readonly failure: JobRunFailure | null;
}

/** The hands of the `job` workflow; each is safe to run twice. */
export const createJobActivities = (ports: JobActivityPorts) => ({
  beginJobRun: (input: BeginJobRunInput): Promise<JobBegun> => beginJobRun(ports, input),
  runJobStep: (call: JobStepCall): Promise<unknown> => runJobStep(ports, call),
  finishJobRun: (end: JobRunEnd): Promise<void> => ports.runs.finish(end),
});

export type JobActivities = ReturnType<typeof createJobActivities>;
