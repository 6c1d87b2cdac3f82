import { z } from 'zod';
import type { LoopSettings } from '../../db/control-loop-orders';
import { DermsError } from '../../domain/errors';
import { controlLoopId } from '../../workflows/messages';
import { isLoopOk } from '../health/loop-health';
import type { AppPorts } from '../ports';
import { answer, defineRoute, type Route } from '../route';
import { controlLoopSchema, loopOrderedSchema } from '../schemas/control-loop';
import { feederParams, idSchema, timestampSchema, uuidSchema } from '../schemas/fields';
import { modeSchema } from '../schemas/feeder';
import { loopUrl } from '../temporal-links';
import { tellWorkflow, wakeTrees } from '../tell-workflow';
import type { Actor } from '../../db/audit';

const BASE = '/api/feeders/{feederId}/control-loop';
const ordered = { 200: { description: 'It is written, and the loop was told.', schema: loopOrderedSchema } };

export const controlLoopRoutes: readonly Route[] = [
  defineRoute({
    method: 'get',
    path: BASE,
    operationId: 'readControlLoop',
    tag: 'Control loop',
    summary: 'The loop of the tree that the feeder belongs to',
    description: 'Rows from the database, and what the workflow says of itself; without Temporal the rows alone.',
    params: feederParams,
    answers: { 200: { description: 'The loop.', schema: controlLoopSchema } },
    errors: ['FEEDER_NOT_FOUND'],
    handle: async ({ params: { feederId } }, ports) => {
      const { rootFeederId } = await ports.feeders.read(feederId);
      const [loop, proposal, workflow] = await Promise.all([
        ports.loops.read(rootFeederId),
        ports.loops.proposal(rootFeederId),
        askWorkflow(ports, rootFeederId),
      ]);
      if (loop === null) throw new DermsError('FEEDER_NOT_FOUND', `Feeder ${rootFeederId} has just moved or gone.`);
      return answer(200, {
        rootFeederId,
        workflowId: controlLoopId(rootFeederId),
        temporalUrl: loopUrl(ports.settings, rootFeederId),
        mode: loop.mode,
        intervalSeconds: loop.intervalSeconds,
        enabled: loop.enabled,
        ok: isLoopOk(loop, loop.last?.finishedAgeSeconds ?? null),
        last: loop.last,
        proposal,
        ...workflow,
      });
    },
  }),

  defineRoute({
    method: 'post',
    path: `${BASE}/wake`,
    operationId: 'wakeControlLoop',
    tag: 'Control loop',
    summary: 'Plan now rather than at the next tick',
    params: feederParams,
    answers: {
      202: {
        description: 'The loop was told.',
        schema: z.strictObject({ rootFeederId: idSchema, temporalUrl: z.string().nullable() }),
      },
    },
    errors: ['FEEDER_NOT_FOUND', 'CONTROL_LOOP_NOT_RUNNING'],
    needsTemporal: true,
    audit: { action: 'control-loop.wake', subject: ({ params }) => params.feederId },
    handle: async ({ params: { feederId }, actor }, ports) => {
      const { rootFeederId } = await ports.feeders.read(feederId);
      const detail = feederId === rootFeederId ? {} : { asked: feederId };
      const act = { action: 'control-loop.wake', subject: rootFeederId, detail };
      await ports.audit.append(actor, { ...act, outcome: 'intended' });
      await ports.workflows.wakeControlLoop(rootFeederId);
      await ports.audit.append(actor, { ...act, outcome: 'done' });
      return answer(202, { rootFeederId, temporalUrl: loopUrl(ports.settings, rootFeederId) });
    },
  }),

  defineRoute({
    method: 'post',
    path: `${BASE}/mode`,
    operationId: 'setControlMode',
    tag: 'Control loop',
    summary: 'Automatic, by approval, or hands off',
    description:
      '`automatic` publishes what it plans; `manual` waits for approval of exactly that plan; `disabled` sends every ' +
      'device to its default and publishes nothing else.',
    params: feederParams,
    body: z.strictObject({ mode: modeSchema }),
    answers: ordered,
    errors: ['FEEDER_NOT_FOUND'],
    needsTemporal: true,
    audit: { action: 'control-loop.mode', subject: ({ params }) => params.feederId },
    handle: ({ params, body, actor }, ports) =>
      order(ports, params.feederId, 'control-loop.mode', { mode: body.mode }, actor),
  }),

  defineRoute({
    method: 'post',
    path: `${BASE}/interval`,
    operationId: 'setControlInterval',
    tag: 'Control loop',
    summary: 'How often it plans',
    params: feederParams,
    body: z.strictObject({ intervalSeconds: z.number().int().min(2).max(600) }),
    answers: ordered,
    errors: ['FEEDER_NOT_FOUND'],
    needsTemporal: true,
    audit: { action: 'control-loop.interval', subject: ({ params }) => params.feederId },
    handle: ({ params, body: { intervalSeconds }, actor }, ports) =>
      order(ports, params.feederId, 'control-loop.interval', { intervalSeconds }, actor),
  }),

  defineRoute({
    method: 'post',
    path: `${BASE}/approve`,
    operationId: 'approvePlan',
    tag: 'Control loop',
    summary: 'Manual mode: publish exactly this plan',
    params: feederParams,
    body: z.strictObject({ planId: uuidSchema }),
    answers: {
      200: {
        description: 'Approved; the loop was told.',
        schema: z.strictObject({
          rootFeederId: idSchema,
          planId: uuidSchema,
          approvedAt: timestampSchema,
          temporalUrl: z.string().nullable(),
        }),
      },
    },
    errors: ['FEEDER_NOT_FOUND', 'PLAN_NOT_FOUND'],
    needsTemporal: true,
    audit: { action: 'control-loop.approve', subject: ({ params }) => params.feederId },
    handle: async ({ params: { feederId }, body: { planId }, actor }, ports) => {
      const approval = await ports.loops.approve({ feederId, planId, actor });
      await wakeTrees(ports, [approval.rootFeederId], actor.requestId);
      return answer(200, { ...approval, temporalUrl: loopUrl(ports.settings, approval.rootFeederId) });
    },
  }),

  defineRoute({
    method: 'post',
    path: `${BASE}/stop`,
    operationId: 'stopControlLoop',
    tag: 'Control loop',
    summary: 'Send every device to its default and control this tree no more',
    params: feederParams,
    answers: ordered,
    errors: ['FEEDER_NOT_FOUND'],
    needsTemporal: true,
    audit: { action: 'control-loop.stop', subject: ({ params }) => params.feederId },
    handle: ({ params, actor }, ports) => order(ports, params.feederId, 'control-loop.stop', { enabled: false }, actor),
  }),

  defineRoute({
    method: 'post',
    path: `${BASE}/start`,
    operationId: 'startControlLoop',
    tag: 'Control loop',
    summary: 'Control this tree',
    params: feederParams,
    answers: ordered,
    errors: ['FEEDER_NOT_FOUND'],
    needsTemporal: true,
    audit: { action: 'control-loop.start', subject: ({ params }) => params.feederId },
    handle: ({ params, actor }, ports) => order(ports, params.feederId, 'control-loop.start', { enabled: true }, actor),
  }),
];

/** Written first, at the root; then the loop is told. */
async function order(ports: AppPorts, feederId: string, action: string, change: Partial<LoopSettings>, actor: Actor) {
  const root = await ports.loops.order({ feederId, action, change, actor });
  const rootFeederId = root.feederId;
  const about = { feederId: rootFeederId, requestId: actor.requestId };
  if (change.enabled === false) {
    await tellWorkflow(ports, 'stop', about, (to) => to.stopControlLoop(rootFeederId));
  } else if (change.enabled === true) {
    await tellWorkflow(ports, 'start-loop', about, (to) => to.startControlLoop(rootFeederId));
  } else if (root.enabled) {
    await wakeTrees(ports, [rootFeederId], actor.requestId);
  }
  const { mode, intervalSeconds, enabled } = root;
  const temporalUrl = loopUrl(ports.settings, rootFeederId);
  return answer(200, { rootFeederId, mode, intervalSeconds, enabled, temporalUrl });
}

type WorkflowAnswer = Pick<z.input<typeof controlLoopSchema>, 'workflow' | 'workflowUnavailable'>;

/** The workflow's own words, or why there are none: the rows are worth showing without them. */
async function askWorkflow({ workflows }: AppPorts, rootFeederId: string): Promise<WorkflowAnswer> {
  try {
    const status = await workflows.loopStatus(rootFeederId);
    const lastResult = status.lastResult === null ? null : { ...status.lastResult };
    return { workflow: { ...status, lastResult }, workflowUnavailable: null };
  } catch (error) {
    if (!(error instanceof DermsError)) throw error;
    return { workflow: null, workflowUnavailable: error.message };
  }
}
