import { z } from 'zod';
import { REFUSAL_REASONS } from '../../contracts/envelope';
import { numberCursor, pageOfRows, readCursor } from '../cursor';
import { answer, defineRoute, type Route } from '../route';
import { cursorField, pageLimit, pageOf, timestampSchema } from '../schemas/fields';

const refusedMessage = z
  .strictObject({
    id: z.number().int(),
    receivedAt: timestampSchema,
    reason: z.string(),
    detail: z.string(),
    topic: z.string(),
    payload: z.string().describe('As it came, cut.'),
  })
  .meta({ id: 'RefusedMessage' });

/** What was refused. */
export const recordRoutes: readonly Route[] = [
  defineRoute({
    method: 'get',
    path: '/api/telemetry/rejected',
    operationId: 'listRefusedMessages',
    tag: 'Devices',
    summary: 'A sample of the messages that were refused, newest first',
    description: 'All of them are counted in `derms_ingest_refused_total{reason}`.',
    query: z.strictObject({
      reason: z.enum(REFUSAL_REASONS).optional(),
      limit: pageLimit(500, 100),
      cursor: cursorField,
    }),
    answers: { 200: { description: 'A page of messages.', schema: pageOf(refusedMessage) } },
    errors: [],
    handle: async ({ query: { reason, limit, cursor } }, { telemetry }) => {
      const before = readCursor(numberCursor, cursor);
      const beforeId = before === null ? null : before[0];
      const rows = await telemetry.refused({ reason: reason ?? null, beforeId, limit: limit + 1 });
      return answer(
        200,
        pageOfRows(rows, limit, ({ id }) => [id]),
      );
    },
  }),
];
