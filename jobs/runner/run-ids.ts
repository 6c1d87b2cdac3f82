import { v5 as uuidv5, v7 as uuidv7, validate as isUuid } from 'uuid';

/** Fixed for good: a run that Temporal made has the same id whoever works it out. */
const RUN_NAMESPACE = 'a2f0c1de-5b0e-4c53-8f0b-6f1f2f5d9a37';

/** Of a run that a schedule, or somebody with Temporal's own tools, has started. */
export const runIdOfWorkflow = (workflowId: string): string => uuidv5(workflowId, RUN_NAMESPACE);

/** Of a run that somebody asks for: ids sort as the requests came. */
export const newRunId = (): string => uuidv7();

/** The run that a workflow carries out, however it was started. */
export function runIdIn(workflowId: string): string {
  const last = workflowId.slice(workflowId.lastIndexOf('/') + 1);
  return isUuid(last) ? last : runIdOfWorkflow(workflowId);
}

/** Those of open workflows that a schedule has made, by the run and the tick they are of. */
export const scheduledRuns = (
  workflows: readonly {
    readonly workflowId: string;
    readonly startedAt: Date;
    readonly scheduleId: string | null;
    readonly nominalAt: Date | null;
  }[],
) =>
  workflows.flatMap(({ workflowId, startedAt, scheduleId, nominalAt }) =>
    scheduleId === null || nominalAt === null
      ? []
      : [
          {
            runId: runIdIn(workflowId),
            scheduleId,
            nominalAtMs: nominalAt.getTime(),
            startedAtMs: startedAt.getTime(),
          },
        ],
  );
