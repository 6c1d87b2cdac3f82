import { z } from 'zod';
import { exactTime, pageOfRows, readCursor } from '../cursor';
import { answer, defineRoute, type Route } from '../route';
import {
  cursorField,
  feederParams,
  idSchema,
  pageLimit,
  pageOf,
  timestampSchema,
  timeSchema,
  uuidSchema,
} from '../schemas/fields';
import { modeSchema } from '../schemas/feeder';
import { quarterHourSchema, seriesQuery, seriesWindow } from '../schemas/series';

const meterSample = z
  .strictObject({ sampledAt: timestampSchema, receivedAt: timestampSchema, flowKw: z.number() })
  .meta({ id: 'MeterSample' });

const cycleSchema = z
  .strictObject({
    rootFeederId: idSchema,
    chainId: uuidSchema,
    cycle: z.number().int(),
    planId: uuidSchema,
    plannedAt: timestampSchema,
    tickAt: timestampSchema.describe('When it was due.'),
    missedTicks: z.number().int(),
    mode: modeSchema,
    intervalSeconds: z.number().int(),
    changes: z.number().int().describe('Setpoints that changed.'),
    renewals: z.number().int(),
    infeasible: z.boolean(),
    summary: z.string(),
  })
  .meta({ id: 'Cycle' });

const cycleCursor = z.tuple([exactTime, z.number().int().min(0)]);

export const feederSeriesRoutes: readonly Route[] = [
  defineRoute({
    method: 'get',
    path: '/api/feeders/{feederId}/history',
    operationId: 'listMeterReadings',
    tag: 'Feeders',
    summary: 'Measured flow, oldest first',
    params: feederParams,
    query: seriesQuery,
    answers: {
      200: {
        description: 'Samples of the meter, or quarters of an hour.',
        schema: pageOf(z.union([meterSample, quarterHourSchema])),
      },
    },
    errors: ['FEEDER_NOT_FOUND'],
    handle: async ({ params: { feederId }, query }, { telemetry }) => {
      if (query.resolution === 'quarter-hour') {
        const quarters = await telemetry.meterQuarterHours(feederId, seriesWindow(query));
        return answer(
          200,
          pageOfRows(quarters, query.limit, ({ quarterAt }) => [quarterAt]),
        );
      }
      const rows = await telemetry.meter(feederId, seriesWindow(query));
      return answer(
        200,
        pageOfRows(rows, query.limit, ({ sampledAt }) => [sampledAt]),
      );
    },
  }),

  defineRoute({
    method: 'get',
    path: '/api/feeders/{feederId}/cycles',
    operationId: 'listCycles',
    tag: 'Feeders',
    summary: 'Control cycles of the tree, newest first',
    params: feederParams,
    query: z.strictObject({
      from: timeSchema.optional(),
      to: timeSchema.optional(),
      limit: pageLimit(500, 50),
      cursor: cursorField,
    }),
    answers: { 200: { description: "Cycles of the root's loop.", schema: pageOf(cycleSchema) } },
    errors: ['FEEDER_NOT_FOUND'],
    handle: async ({ params: { feederId }, query: { from, to, limit, cursor } }, { feeders, loops }) => {
      const before = readCursor(cycleCursor, cursor);
      const { rootFeederId } = await feeders.read(feederId);
      const rows = await loops.cycles({
        rootFeederId,
        from: from ?? null,
        to: to ?? null,
        before: before === null ? null : { plannedAt: before[0], cycle: before[1] },
        limit: limit + 1,
      });
      return answer(
        200,
        pageOfRows(rows, limit, ({ plannedAt, cycle }) => [plannedAt, cycle]),
      );
    },
  }),
];
