import { Context } from '@temporalio/activity';
import type { DispatchStep, PlanAnswer, StartedWorkflows } from '../domain/control-cycle';
import { DermsError } from '../domain/errors';
import { controlLoopId, dispatchWorkflowId } from '../domain/workflow-ids';
import { planCycle, type PlanCycleInput, type PlanCyclePorts } from './plan-cycle';
import {
  publishSetpoints,
  type PublishResult,
  type PublishSetpointsInput,
  type PublishSetpointsPorts,
} from './publish-setpoints';
import type { DispatchStore, SupervisionStore, SupervisorTicks, WorkflowStarter } from './ports';
import { superviseRuns, type RunSupervision } from './supervise-runs';

export interface ControlPorts {
  readonly plan: PlanCyclePorts;
  readonly publish: PublishSetpointsPorts;
  readonly dispatches: DispatchStore;
  readonly supervision: SupervisionStore;
  readonly workflows: WorkflowStarter;
  readonly jobRuns: RunSupervision;
  readonly ticks: SupervisorTicks;
}

/** The hands of the control queue's workflows; each is safe to run twice. */
export const createControlActivities = (ports: ControlPorts) => ({
  planCycle: (input: PlanCycleInput): Promise<PlanAnswer> =>
    planCycle(ports.plan, input, Context.current().cancellationSignal),

  publishSetpoints: (input: PublishSetpointsInput): Promise<PublishResult> =>
    publishSetpoints(ports.publish, input, Context.current().cancellationSignal),

  async advanceDispatch({ dispatchId }: { dispatchId: string }): Promise<DispatchStep> {
    const step = await ports.dispatches.advance(dispatchId);
    if (step === null) throw new DermsError('DISPATCH_NOT_FOUND', `there is no dispatch ${dispatchId}`);
    return step;
  },

  /** Starts what should run and does not, or has not planned lately; starting what runs does nothing. */
  async startWhatShouldRun(): Promise<StartedWorkflows> {
    const { workflowExecution, scheduledTimestampMs } = Context.current().info;
    if (workflowExecution !== undefined) await ports.ticks.ran(workflowExecution.workflowId, scheduledTimestampMs);
    const wanted = await ports.supervision.wanted();
    const running = await ports.workflows.running();
    const roots = wanted.roots.filter(
      ({ rootFeederId, planned }) => !planned || !running.has(controlLoopId(rootFeederId)),
    );
    for (const { rootFeederId } of roots) await ports.workflows.startControlLoop(rootFeederId);
    const dispatches = wanted.dispatches.filter(({ dispatchId }) => !running.has(dispatchWorkflowId(dispatchId)));
    for (const { dispatchId, rootFeederId } of dispatches)
      await ports.workflows.startDispatch(dispatchId, rootFeederId);
    const runs = await superviseRuns(ports.jobRuns, running);
    return {
      roots: roots.map(({ rootFeederId }) => rootFeederId),
      dispatches: dispatches.map(({ dispatchId }) => dispatchId),
      runs,
    };
  },
});

export type ControlActivities = ReturnType<typeof createControlActivities>;
