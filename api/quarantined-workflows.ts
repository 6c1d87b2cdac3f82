import { DermsError } from '../domain/errors';
import type { JobsInTemporal } from './jobs/adapters';
import type { WorkflowPort } from './ports';

const WHY = 'this process is quarantined and knows no Temporal';
const refuse = (): Promise<never> => Promise.reject(new DermsError('QUARANTINED', WHY));

/** In place of Temporal in a process that was started quarantined: nobody is called. */
export const quarantinedWorkflows: WorkflowPort = {
  unavailable: () => Promise.resolve(WHY),
  loopStatus: refuse,
  wakeControlLoop: refuse,
  stopControlLoop: refuse,
  startControlLoop: refuse,
  startDispatch: refuse,
  tellDispatch: refuse,
  startJobRun: refuse,
  cancelJobRun: refuse,
  terminateJobRun: refuse,
};

/** Runs are their rows alone. */
export const quarantinedJobs: JobsInTemporal = {
  queues: { workersOf: refuse, queueState: refuse, openRuns: () => Promise.resolve([]) },
  schedules: { pause: refuse, resume: refuse, trigger: refuse },
  closedAs: refuse,
};
