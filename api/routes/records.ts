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

const refusedSender = z
  .strictObject({
    sender: z
      .string()
      .describe(
        'The end of the topic, which is all that the broker lets a device write to; `(others)` beyond the bound.',
      ),
    reason: z.string(),
    messages: z.number().int(),
    peakPerSecond: z.number().describe('Refused messages a second, the most of any two seconds or so.'),
    firstHour: timestampSchema.describe('The first hour of the time asked for in which there were any.'),
    lastAt: timestampSchema,
  })
  .meta({ id: 'RefusedSender' });
const senderCursor = z.tuple([z.number().min(0), z.string().max(200), z.string().max(64)]);

/** What was refused, and whose it was. */
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

  defineRoute({
    method: 'get',
    path: '/api/telemetry/rejected/senders',
    operationId: 'listRefusedSenders',
    tag: 'Devices',
    summary: 'Who sent most of what was refused, the worst first',
    description:
      'All messages, not a sample of them. `too-many`: the device floods, and its messages over the allowance are not stored. ' +
      'What the broker itself turns away, by its access list or its size limit, is in the log of the broker.',
    query: z.strictObject({
      hours: z.coerce.number().int().min(1).max(720).default(24).describe('Counted in whole hours, this one included.'),
      reason: z.enum(REFUSAL_REASONS).optional(),
      limit: pageLimit(500, 100),
      cursor: cursorField,
    }),
    answers: { 200: { description: 'A page of senders.', schema: pageOf(refusedSender) } },
    errors: [],
    handle: async ({ query: { hours, reason, limit, cursor } }, { telemetry }) => {
      const last = readCursor(senderCursor, cursor);
      const after = last === null ? null : { messages: last[0], sender: last[1], reason: last[2] };
      const rows = await telemetry.refusedSenders({ hours, reason: reason ?? null, after, limit: limit + 1 });
      return answer(
        200,
        pageOfRows(rows, limit, (row) => [row.messages, row.sender, row.reason]),
      );
    },
  }),
];
