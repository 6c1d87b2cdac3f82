/** Workflow ids are business ids: the id is the lock that rules out a second controller of a root. */
export const controlLoopId = (rootFeederId: string): string => `control-loop/${rootFeederId}`;
export const dispatchWorkflowId = (dispatchId: string): string => `dispatch/${dispatchId}`;
