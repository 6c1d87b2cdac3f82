import { v5 as uuidv5 } from 'uuid';

/** Fixed for good: a run that Temporal made has the same id whoever works it out. */
const RUN_NAMESPACE = 'a2f0c1de-5b0e-4c53-8f0b-6f1f2f5d9a37';

/** Of a run that a schedule, or somebody with Temporal's own tools, has started. */
export const runIdOfWorkflow = (workflowId: string): string => uuidv5(workflowId, RUN_NAMESPACE);
