import { z } from 'zod';
import { AUDIT_OUTCOMES } from '../../db/audit';
import { numberCursor, pageOfRows, readCursor } from '../cursor';
import { EXPORT_FORMATS, EXPORT_TYPES, exportText } from '../audit/export-text';
import { answer, defineRoute, type Route } from '../route';
import { cursorField, pageLimit, pageOf, textField, timeSchema, timestampSchema } from '../schemas/fields';

const auditRow = z
  .strictObject({
    id: z.number().int(),
    at: timestampSchema,
    actor: z.string(),
    role: z.string().nullable(),
    action: z.string(),
    subject: z.string(),
    outcome: z.enum(AUDIT_OUTCOMES),
    requestId: z.string().nullable(),
    address: z.string().nullable(),
    detail: z.record(z.string(), z.unknown()).readonly(),
  })
  .meta({ id: 'AuditEntry' });

/** Who did what, from where, with what before and after. */
export const auditRoutes: readonly Route[] = [
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
      outcome: z.enum(AUDIT_OUTCOMES).optional(),
      from: timeSchema.optional(),
      to: timeSchema.optional().describe('Before this moment.'),
      limit: pageLimit(500, 100),
      cursor: cursorField,
    }),
    answers: { 200: { description: 'A page of entries.', schema: pageOf(auditRow) } },
    errors: [],
    audit: { action: 'audit.read', subject: () => 'audit' },
    handle: async ({ query: { limit, cursor, ...filter } }, { audit }) => {
      const before = readCursor(numberCursor, cursor);
      const rows = await audit.list({
        ...{ actor: filter.actor ?? null, action: filter.action ?? null, subject: filter.subject ?? null },
        ...{ outcome: filter.outcome ?? null, from: filter.from ?? null, to: filter.to ?? null },
        beforeId: before === null ? null : before[0],
        limit: limit + 1,
      });
      return answer(
        200,
        pageOfRows(rows, limit, ({ id }) => [id]),
      );
    },
  }),

  defineRoute({
    method: 'get',
    path: '/api/audit/export',
    operationId: 'exportAudit',
    tag: 'Audit',
    summary: 'The audit log as a file, oldest first',
    description:
      'Sent as it is read, however long it is. JSON lines hold all that the chain is computed from; see `docs/audit.md`. ' +
      'What is written meanwhile is not part of it. The export itself leaves an entry.',
    query: z.strictObject({
      format: z.enum(EXPORT_FORMATS).default('jsonl'),
      from: timeSchema.optional(),
      to: timeSchema.optional().describe('Before this moment.'),
    }),
    answers: {
      200: {
        description: 'An entry a line.',
        schema: z.string(),
        text: Object.values(EXPORT_TYPES),
        headers: { 'Content-Disposition': 'A name for the file.' },
      },
    },
    errors: [],
    audit: { action: 'audit.export', subject: () => 'audit' },
    handle: async ({ query: { format, from = null, to = null }, actor }, { audit }) => {
      const detail = { format, from, to };
      await audit.append(actor, { action: 'audit.export', subject: 'audit', outcome: 'done', detail });
      return answer(200, exportText(audit.export({ from, to }), format), {
        'Content-Type': `${EXPORT_TYPES[format]}; charset=utf-8`,
        'Content-Disposition': `attachment; filename="derms-audit.${format}"`,
      });
    },
  }),
];
