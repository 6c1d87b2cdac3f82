import { setImmediate as othersFirst } from 'node:timers/promises';
import { v4 as uuidv4 } from 'uuid';
import { z } from 'zod';
import type { StoredCycle } from '../../db/stored-cycles';
import { DermsError } from '../../domain/errors';
import { explainDevice } from '../../domain/explanation/device-why';
import type { TreeSnapshot } from '../../domain/fleet';
import { planTree } from '../../domain/plan-tree';
import { againstInForce, againstPlan, changed, type WhatIf } from '../../domain/what-if';
import { planStory, replayOf } from '../planning/story';
import type { AppPorts } from '../ports';
import { answer, defineRoute, type Route } from '../route';
import { deviceParams, feederParams, idSchema, pageLimit, timeSchema, uuidSchema } from '../schemas/fields';
import { cycleStorySchema, deviceWhySchema, planSchema, whatIfBody } from '../schemas/plan';
import { withoutUndefined } from '../without-undefined';

export const planRoutes: readonly Route[] = [
  defineRoute({
    method: 'get',
    path: '/api/devices/{deviceId}/why',
    operationId: 'explainDevice',
    tag: 'Devices',
    summary: 'Why the device is asked what it is asked',
    description:
      'Planned again from the recorded input of the cycle, so the answer is that of the plan itself: which limit holds ' +
      'it, whose limit that is, what flows there, and what the device itself allows.',
    params: deviceParams,
    query: z.strictObject({
      at: timeSchema.optional().describe('The plan in force at this moment; default: the latest.'),
    }),
    answers: { 200: { description: 'The reasons, in words and as data.', schema: deviceWhySchema } },
    errors: ['DEVICE_NOT_FOUND', 'CYCLE_NOT_FOUND', 'CYCLE_NOT_REPLAYABLE', 'TOO_MANY_REQUESTS'],
    handle: async ({ params: { deviceId }, query: { at } }, ports) => {
      const { rootFeederId } = await ports.devices.read(deviceId);
      const { stored, why } = await ports.planning.take(async () => {
        const cycle = await ports.plans.cycle({ rootFeederId, cycle: null, chainId: null, at: at ?? null });
        return { stored: cycle, why: explainDevice(cycle.tree, planTree(cycle.tree), deviceId) };
      });
      if (why === null) {
        const message = `Cycle ${String(stored.record.cycle)} of ${rootFeederId} knows no device ${deviceId}: it is not enabled, or was not there yet.`;
        throw new DermsError('CYCLE_NOT_FOUND', message);
      }
      const { device, ...rest } = why;
      const { feederId, targetKw, explanation, waitsSinceMs } = device;
      const waitsSince = waitsSinceMs === null ? null : new Date(waitsSinceMs).toISOString();
      return answer(200, { ...rest, deviceId, feederId, targetKw, explanation, waitsSince, basis: basisOf(stored) });
    },
  }),

  defineRoute({
    method: 'get',
    path: '/api/feeders/{feederId}/cycles/{cycle}',
    operationId: 'readCycle',
    tag: 'Feeders',
    summary: 'One control cycle and its reasons',
    description: '`latest`, or its number; devices are those whose target it changed most.',
    params: z.strictObject({
      feederId: idSchema,
      cycle: z.string().regex(/^(latest|\d{1,15})$/, 'is neither `latest` nor a number'),
    }),
    query: z.strictObject({
      chainId: uuidSchema.optional().describe('Of that cycle; default: the newest that has it.'),
      limit: pageLimit(10_000, 100),
    }),
    answers: { 200: { description: 'The cycle.', schema: cycleStorySchema } },
    errors: ['FEEDER_NOT_FOUND', 'CYCLE_NOT_FOUND', 'CYCLE_NOT_REPLAYABLE', 'TOO_MANY_REQUESTS'],
    handle: async ({ params: { feederId, cycle }, query: { chainId, limit } }, ports) => {
      const { rootFeederId } = await ports.feeders.read(feederId);
      const number = cycle === 'latest' ? null : Number(cycle);
      const question = { rootFeederId, cycle: number, chainId: chainId ?? null, at: null };
      const { stored, plan } = await ports.planning.take(async () => {
        const found = await ports.plans.cycle(question);
        return { stored: found, plan: planTree(found.tree) };
      });
      const { tree, record } = stored;
      const notes: Record<string, number> = {};
      for (const { explanation } of plan.devices) notes[explanation.note] = (notes[explanation.note] ?? 0) + 1;
      const story = planStory({ rootFeederId, tree, plan, differences: againstInForce(tree, plan), limit });
      return answer(200, { ...record, ...story, mode: record.mode, notes, basis: basisOf(stored) });
    },
  }),

  defineRoute({
    method: 'post',
    path: '/api/feeders/{feederId}/plan',
    operationId: 'planWhatIf',
    tag: 'Feeders',
    summary: 'What would be planned, if',
    description:
      'The plan of the whole tree with other limits, other devices or dispatches that do not exist, against what is in ' +
      'force. Nothing is stored or published. With `cycle` a stored cycle is planned again from its recorded input: ' +
      'unchanged it gives the same setpoints, to the bit; changed it is compared with what that cycle planned.',
    params: feederParams,
    body: whatIfBody,
    answers: { 200: { description: 'The plan; nothing was done.', schema: planSchema } },
    errors: [
      'FEEDER_NOT_FOUND',
      'DEVICE_NOT_FOUND',
      'DISPATCH_NOT_FOUND',
      'CYCLE_NOT_FOUND',
      'CYCLE_NOT_REPLAYABLE',
      'TOO_MANY_REQUESTS',
    ],
    audit: { action: 'plan.what-if', subject: ({ params }) => params.feederId },
    handle: async ({ params: { feederId }, body }, ports) => {
      const { rootFeederId } = await ports.feeders.read(feederId);
      return ports.planning.take(async () => {
        const stored =
          body.cycle === undefined
            ? null
            : await ports.plans.cycle({ rootFeederId, cycle: body.cycle, chainId: body.chainId ?? null, at: null });
        const tree = stored?.tree ?? (await presentTree(ports, rootFeederId));
        const asked = changed(tree, whatIfOf(body, feederId, tree));
        await othersFirst();
        const plan = planTree(asked);
        await othersFirst();
        const before = stored === null ? null : planTree(tree);
        await othersFirst();
        const differences = before === null ? againstInForce(tree, plan) : againstPlan(before, plan);
        return answer(200, {
          ...planStory({ rootFeederId, tree: asked, plan, differences, limit: body.limit }),
          basis: stored === null ? basisNow(tree) : basisOf(stored),
          replay: stored === null || before === null ? null : replayOf(stored, before),
        });
      });
    },
  }),
];

async function presentTree({ plans }: AppPorts, rootFeederId: string): Promise<TreeSnapshot> {
  const tree = await plans.present(rootFeederId);
  if (tree === null) throw new DermsError('FEEDER_NOT_FOUND', `Feeder ${rootFeederId} has just moved or gone.`);
  return tree;
}

const whatIfOf = (body: z.output<typeof whatIfBody>, feederId: string, { nowMs }: TreeSnapshot): WhatIf => ({
  feeders: body.feeders.map((change) => withoutUndefined<WhatIf['feeders'][number]>(change)) as WhatIf['feeders'],
  devices: body.devices.map((change) => withoutUndefined<WhatIf['devices'][number]>(change)) as WhatIf['devices'],
  dispatches: body.dispatches.map((dispatch) => ({
    dispatchId: uuidv4(),
    feederId: dispatch.feederId ?? feederId,
    importLimitKw: dispatch.importLimitKw ?? null,
    exportLimitKw: dispatch.exportLimitKw ?? null,
    targetKw: dispatch.targetKw ?? null,
    primacy: dispatch.primacy,
    acceptedAtMs: nowMs,
  })),
  withoutDispatches: body.withoutDispatches,
});

const basisNow = ({ nowMs }: TreeSnapshot) => ({
  ...{ kind: 'now' as const, at: new Date(nowMs).toISOString() },
  ...{ cycle: null, chainId: null, planId: null, solverVersion: null, inputDigest: null },
});

const basisOf = ({ record: { plannedAt, cycle, chainId, planId }, solverVersion, digest }: StoredCycle) => ({
  ...{ kind: 'cycle' as const, at: plannedAt, cycle, chainId, planId, solverVersion, inputDigest: digest },
});
