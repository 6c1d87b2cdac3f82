import { Context } from '@temporalio/activity';
import type { ControlGaps, DispatchStep, PlanAnswer } from '../domain/control-cycle';
import { DermsError } from '../domain/errors';
import { planCycle, type PlanCycleInput, type PlanCyclePorts } from './plan-cycle';
import {
  publishSetpoints,
  type PublishResult,
  type PublishSetpointsInput,
  type PublishSetpointsPorts,
} from './publish-setpoints';
import type { DispatchStore, SupervisionStore, WorkflowStarter } from './ports';

export interface ControlPorts {
  readonly plan: PlanCyclePorts;
  readonly publish: PublishSetpointsPorts;
  readonly dispatches: DispatchStore;
  readonly supervision: SupervisionStore;
  readonly workflows: WorkflowStarter;
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

  /** Starts what should run and does not; returns what it started. */
  async closeControlGaps(): Promise<ControlGaps> {
    const gaps = await ports.supervision.findGaps();
    for (const rootFeederId of gaps.rootsWithoutLoop) await ports.workflows.startControlLoop(rootFeederId);
    for (const { dispatchId, rootFeederId } of gaps.openDispatches) {
      await ports.workflows.startDispatch(dispatchId, rootFeederId);
    }
    return gaps;
  },
});

export type ControlActivities = ReturnType<typeof createControlActivities>;
