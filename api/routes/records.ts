import { z } from 'zod';
import { REFUSAL_REASONS } from '../../contracts/envelope';
import { numberCursor, pageOfRows, readCursor } from '../cursor';
import { answer, defineRoute, type Route } from '../route';
import { cursorField, pageLimit, pageOf, textField, timestampSchema } from '../schemas/fields';

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

const auditRow = z
  .strictObject({
    id: z.number().int(),
    at: timestampSchema,
    actor: z.string(),
    role: z.string().nullable(),
    action: z.string(),
    subject: z.string(),
    outcome: z.enum(['done', 'refused', 'validated']),
    requestId: z.string().nullable(),
    address: z.string().nullable(),
    detail: z.record(z.string(), z.unknown()).readonly(),
  })
  .meta({ id: 'AuditEntry' });

/** What was refused, and who did what. */
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
    path: '/api/audit',
    operationId: 'listAudit',
    tag: 'Audit',
    summary: 'Who did what, refused attempts too; newest first',
    query: z.strictObject({
      actor: textField(128).optional(),
      action: textField(128).optional(),
      subject: textField(128).optional(),
      limit: pageLimit(500, 100),
      cursor: cursorField,
    }),
    answers: { 200: { description: 'A page of entries.', schema: pageOf(auditRow) } },
    errors: [],
    handle: async ({ query: { actor, action, subject, limit, cursor } }, { audit }) => {
      const before = readCursor(numberCursor, cursor);
      const rows = await audit.list({
        actor: actor ?? null,
        action: action ?? null,
        subject: subject ?? null,
        beforeId: before === null ? null : before[0],
        limit: limit + 1,
      });
      return answer(
        200,
        pageOfRows(rows, limit, ({ id }) => [id]),
      );
    },
  }),
];
