/** Workflow ids are business ids: the id is the lock that rules out a second controller of a root. */
export const controlLoopId = (rootFeederId: string): string => `control-loop/${rootFeederId}`;
export const dispatchWorkflowId = (dispatchId: string): string => `dispatch/${dispatchId}`;

export const jobWorkflowId = (jobName: string, runId: string): string => `job/${jobName}/${runId}`;
/** The job that a run's workflow is of; null when it is no run's. */
export const jobNameOf = (workflowId: string): string | null => /^job\/([^/]+)\/./.exec(workflowId)?.[1] ?? null;

/** Begins the ids of all job schedules, so that those of jobs that are no more are found. */
export const JOB_SCHEDULE_PREFIX = 'job-';
export const jobScheduleId = (jobName: string): string => `${JOB_SCHEDULE_PREFIX}${jobName}`;

/** The schedule that keeps the control loops running; no job's. */
export const SUPERVISOR_SCHEDULE_ID = 'supervise-control-loops';
