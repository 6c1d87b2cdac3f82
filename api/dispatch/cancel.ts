import { setTimeout as sleep } from 'node:timers/promises';
import type { Actor } from '../../db/audit';
import type { DispatchRecord } from '../../db/dispatch-record';
import type { AppPorts } from '../ports';
import { tellWorkflow, wakeTrees } from '../tell-workflow';

const LOOK_EVERY_MS = 100;

export interface DispatchCancelAnswer {
  readonly dispatch: DispatchRecord;
  /** From then on nothing of it holds; null when that could not be confirmed in time. */
  readonly effectiveAt: string | null;
  readonly unconfirmed: string | null;
}

/**
 * Closes the dispatch, tells its workflow and the loop, and waits until a plan that was made afterwards is carried out:
 * until then the devices may still follow it.
 */
export async function cancelAndConfirm(
  ports: AppPorts,
  order: { readonly dispatchId: string; readonly reason: string; readonly actor: Actor },
): Promise<DispatchCancelAnswer> {
  const { dispatch, wasInForce } = await ports.dispatches.cancel(order);
  const { dispatchId, rootFeederId } = dispatch;
  // After the commit: a plan that began before it may not have seen it.
  const cancelledAt = await ports.dispatches.clock();
  const { requestId } = order.actor;
  await Promise.all([
    tellWorkflow(ports, 'tell-dispatch', { dispatchId, requestId }, (to) => to.tellDispatch(dispatchId)),
    ...(wasInForce ? [wakeTrees(ports, [rootFeederId], requestId)] : []),
  ]);
  if (!wasInForce) return { dispatch, effectiveAt: cancelledAt, unconfirmed: null };
  return { dispatch, ...(await confirm(ports, rootFeederId, cancelledAt)) };
}

/** Times are Postgres' and of one format, so that their texts compare as they do. */
async function confirm(
  { dispatches, settings }: AppPorts,
  rootFeederId: string,
  cancelledAt: string,
): Promise<Pick<DispatchCancelAnswer, 'effectiveAt' | 'unconfirmed'>> {
  const withinMs = settings.confirmCancelWithinMs;
  const until = performance.now() + withinMs;
  let plannedAt: string | null = null; // of the first plan after the cancelling
  for (;;) {
    const loop = await dispatches.progress(rootFeederId);
    if (plannedAt === null && loop.plannedAt !== null && loop.plannedAt > cancelledAt) ({ plannedAt } = loop);
    // Whatever finishes from then on has carried out that plan or a newer one.
    if (plannedAt !== null && loop.finishedAt !== null && loop.finishedAt >= plannedAt) {
      return { effectiveAt: loop.finishedAt, unconfirmed: null };
    }
    if (performance.now() >= until) {
      const missing = plannedAt === null ? 'has not planned' : 'has planned but not yet published';
      const within = `${String(withinMs / 1000)} s`;
      return { effectiveAt: null, unconfirmed: `the control loop of ${rootFeederId} ${missing} within ${within}` };
    }
    await sleep(LOOK_EVERY_MS);
  }
}
