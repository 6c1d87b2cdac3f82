import { z } from 'zod';
import { exactTime, pageOfRows, readCursor } from '../cursor';
import { answer, defineRoute, type Route } from '../route';
import { envelopeSchema, envelopesBody, envelopesSetSchema, sourceSchema } from '../schemas/envelope';
import { cursorField, feederParams, flagField, idSchema, pageLimit, pageOf, timeSchema } from '../schemas/fields';
import { wakeTrees } from '../tell-workflow';

const envelopeCursor = z.tuple([exactTime, z.string().regex(/^\d{1,18}$/)]);

export const envelopeRoutes: readonly Route[] = [
  defineRoute({
    method: 'get',
    path: '/api/feeders/{feederId}/envelopes',
    operationId: 'listEnvelopes',
    tag: 'Feeders',
    summary: 'Operating envelopes of the feeder, in the order they begin',
    description: 'Those that hold now or later, or at some moment between `from` and `to`.',
    params: feederParams,
    query: z.strictObject({
      source: sourceSchema.optional(),
      from: timeSchema.optional().describe('Default: now.'),
      to: timeSchema.optional().describe('Default: for ever.'),
      withdrawn: flagField('`true`: also what was replaced or taken back.'),
      limit: pageLimit(2_000, 100),
      cursor: cursorField,
    }),
    answers: { 200: { description: 'A page of envelopes.', schema: pageOf(envelopeSchema) } },
    errors: ['FEEDER_NOT_FOUND'],
    handle: async ({ params: { feederId }, query }, { envelopes }) => {
      const after = readCursor(envelopeCursor, query.cursor);
      const rows = await envelopes.list({
        feederId,
        source: query.source ?? null,
        from: query.from ?? null,
        to: query.to ?? null,
        withdrawn: query.withdrawn,
        after: after === null ? null : { startsAt: after[0], envelopeId: after[1] },
        limit: query.limit + 1,
      });
      return answer(
        200,
        pageOfRows(rows, query.limit, ({ startsAt, envelopeId }) => [startsAt, envelopeId]),
      );
    },
  }),

  defineRoute({
    method: 'put',
    path: '/api/feeders/{feederId}/envelopes/{source}',
    operationId: 'setEnvelopes',
    tag: 'Feeders',
    summary: 'What a source says of the feeder from now on',
    description:
      'Replaces all that this source has said and that is not over; saying the same again is harmless. Envelopes narrow ' +
      'the static limits and never widen them; of several sources the tightest holds. One is obeyed from the last cycle ' +
      'before it begins.',
    params: z.strictObject({ feederId: idSchema, source: sourceSchema }),
    body: envelopesBody,
    answers: { 200: { description: 'It is written, and the loop was told.', schema: envelopesSetSchema } },
    errors: ['FEEDER_NOT_FOUND', 'VALIDATION_FAILED'],
    needsTemporal: true,
    audit: { action: 'envelope.set', subject: ({ params }) => params.feederId },
    handle: async ({ params: { feederId, source }, body, actor }, ports) => {
      const intervals = body.intervals.map(({ startsAt, endsAt, importLimitKw, exportLimitKw }) => ({
        startsAtMs: Date.parse(startsAt),
        endsAtMs: Date.parse(endsAt),
        importLimitKw: importLimitKw ?? null,
        exportLimitKw: exportLimitKw ?? null,
      }));
      const set = await ports.envelopes.set({ feederId, source, intervals, actor });
      await wakeTrees(ports, [set.rootFeederId], actor.requestId);
      return answer(200, set);
    },
  }),
];
