import { z } from 'zod';
import type { FeederChanged, FeederFields } from '../../db/feeders';
import { DermsError } from '../../domain/errors';
import { encodeCursor, readCursor } from '../cursor';
import { badness, feederViews, type FleetPicture } from '../feeder-view';
import type { AppPorts } from '../ports';
import { answer, defineRoute, type Route } from '../route';
import { withoutUndefined } from '../without-undefined';
import { feederPatchBody, feederPutBody, feederRecordSchema, feederSchema, type FeederView } from '../schemas/feeder';
import {
  cursorField,
  etagOf,
  ETAG_HEADER,
  feederParams,
  idSchema,
  preconditionHeaders,
  preconditionsOf,
  pageLimit,
  pageOf,
} from '../schemas/fields';
import { loopUrl } from '../temporal-links';
import { tellWorkflow, wakeTrees } from '../tell-workflow';

const rankCursor = z.tuple([z.number(), idSchema]);
const feederChanged = feederRecordSchema.meta({ id: 'FeederRecord' });

export const feederRoutes: readonly Route[] = [
  defineRoute({
    method: 'get',
    path: '/api/feeders',
    operationId: 'listFeeders',
    tag: 'Feeders',
    summary: 'Feeders, worst first',
    description:
      'Over their limit first, then those whose loop stands still, then by the share of the limit that is used. ' +
      'The order is that of the moment: while it changes, a feeder may show on two pages or on none.',
    query: z.strictObject({
      rootFeederId: idSchema.optional().describe('Only this tree.'),
      limit: pageLimit(500, 100),
      cursor: cursorField,
    }),
    answers: { 200: { description: 'A page of feeders.', schema: pageOf(feederSchema) } },
    errors: [],
    handle: async ({ query: { rootFeederId, limit, cursor } }, ports) => {
      const after = readCursor(rankCursor, cursor);
      const ranked = viewsOf(await ports.feeders.picture(rootFeederId ?? null), ports)
        .map((view) => ({ view, score: badness(view) }))
        .sort((a, b) => b.score - a.score || (a.view.feederId < b.view.feederId ? -1 : 1));
      const rest = ranked.filter(
        ({ view, score }) => after === null || score < after[0] || (score === after[0] && view.feederId > after[1]),
      );
      const page = rest.slice(0, limit);
      const last = page.at(-1);
      const nextCursor =
        last !== undefined && rest.length > limit ? encodeCursor([last.score, last.view.feederId]) : null;
      return answer(200, { items: page.map(({ view }) => view), nextCursor });
    },
  }),

  defineRoute({
    method: 'get',
    path: '/api/feeders/{feederId}',
    operationId: 'readFeeder',
    tag: 'Feeders',
    summary: 'One feeder',
    params: feederParams,
    answers: { 200: { description: 'The feeder as it is now.', schema: feederSchema } },
    errors: ['FEEDER_NOT_FOUND'],
    handle: async ({ params: { feederId } }, ports) => {
      const { rootFeederId } = await ports.feeders.read(feederId);
      const views = viewsOf(await ports.feeders.picture(rootFeederId), ports);
      const view = views.find((other) => other.feederId === feederId);
      if (view === undefined) throw new DermsError('FEEDER_NOT_FOUND', `Feeder ${feederId} has just moved or gone.`);
      return answer(200, view, etagOf(view.revision));
    },
  }),

  defineRoute({
    method: 'put',
    path: '/api/feeders/{feederId}',
    operationId: 'putFeeder',
    tag: 'Feeders',
    summary: 'Make a feeder, or replace what people may set of it',
    description:
      'A new one needs no `If-Match` (`If-None-Match: *`: only a new one); one that exists does. Mode, interval and enabled belong to the loop: see ' +
      '`/api/feeders/{feederId}/control-loop`. A lowered limit acts in the next cycle.',
    params: feederParams,
    headers: preconditionHeaders,
    body: feederPutBody,
    answers: {
      200: { description: 'It was replaced.', schema: feederChanged, headers: ETAG_HEADER },
      201: { description: 'It was made.', schema: feederChanged, headers: ETAG_HEADER },
    },
    errors: ['FEEDER_TREE_INVALID', 'REVISION_MISSING', 'REVISION_CONFLICT'],
    needsTemporal: true,
    audit: { action: 'feeder.put', subject: ({ params }) => params.feederId },
    handle: async ({ params: { feederId }, headers, body, actor }, ports) => {
      const preconditions = preconditionsOf(headers);
      const changed = await ports.feeders.put({ feederId, fields: body, preconditions, actor });
      await tellTrees(ports, changed, actor.requestId);
      const status = changed.created ? (201 as const) : (200 as const);
      return answer(status, changed.feeder, etagOf(changed.feeder.revision));
    },
  }),

  defineRoute({
    method: 'patch',
    path: '/api/feeders/{feederId}',
    operationId: 'patchFeeder',
    tag: 'Feeders',
    summary: 'Change limits, parent, name or base load',
    description: 'What is left out stays. A lowered limit acts in the next cycle.',
    params: feederParams,
    headers: preconditionHeaders,
    body: feederPatchBody,
    answers: { 200: { description: 'It was changed.', schema: feederChanged, headers: ETAG_HEADER } },
    errors: ['FEEDER_NOT_FOUND', 'FEEDER_TREE_INVALID', 'REVISION_MISSING', 'REVISION_CONFLICT'],
    needsTemporal: true,
    audit: { action: 'feeder.patch', subject: ({ params }) => params.feederId },
    handle: async ({ params: { feederId }, headers, body, actor }, ports) => {
      const changed = await ports.feeders.patch({
        feederId,
        fields: withoutUndefined<FeederFields>(body),
        preconditions: preconditionsOf(headers),
        actor,
      });
      await tellTrees(ports, changed, actor.requestId);
      return answer(200, changed.feeder, etagOf(changed.feeder.revision));
    },
  }),
];

/** A feeder that is a root now has a loop of its own from this moment; starting one that runs does nothing. */
async function tellTrees(ports: AppPorts, { feeder, rootsTouched }: FeederChanged, requestId: string): Promise<void> {
  const { feederId, parentId, enabled } = feeder;
  if (parentId === null && enabled) {
    await tellWorkflow(ports, 'start-loop', { feederId, requestId }, (to) => to.startControlLoop(feederId));
  }
  await wakeTrees(ports, rootsTouched, requestId);
}

const viewsOf = (picture: FleetPicture, { settings }: AppPorts): FeederView[] =>
  feederViews(picture, {
    staleSeconds: settings.staleSeconds,
    loopUrl: (rootFeederId) => loopUrl(settings, rootFeederId),
  });
