import { z } from 'zod';
import { answer, defineRoute, type Route } from '../route';
import { textField, timestampSchema } from '../schemas/fields';
import { tellWorkflow, wakeTrees } from '../tell-workflow';

const quarantineSchema = z
  .strictObject({
    since: timestampSchema,
    imposedBy: z.string(),
    reason: z.string(),
    restoredFrom: z.string().nullable().describe('The backup that the data comes from.'),
    dataAsOf: timestampSchema.nullable().describe('The moment that the restored data shows.'),
    lifted: z
      .strictObject({
        at: timestampSchema,
        by: z.string(),
        reason: z.string(),
        forced: z.boolean().describe('Nobody had compared with Temporal and the broker before.'),
      })
      .nullable(),
  })
  .meta({ id: 'QuarantineRecord' });

const reconciliationSchema = z
  .strictObject({
    at: timestampSchema,
    by: z.string(),
    applied: z.boolean().describe('false: it only looked.'),
    open: z.number().int().describe('Findings that it could have settled and has not.'),
    report: z.unknown(),
  })
  .meta({ id: 'Reconciliation' });

export const quarantineRoutes: readonly Route[] = [
  defineRoute({
    method: 'get',
    path: '/api/quarantine',
    operationId: 'readQuarantine',
    tag: 'Quarantine',
    summary: 'Whether the database is quarantined, and why',
    description:
      'A restored database plans, publishes and takes no orders until an administrator lifts its quarantine.',
    answers: {
      200: {
        description: 'How it stands, and how it stood.',
        schema: z.strictObject({
          quarantined: z.boolean(),
          inForce: quarantineSchema.nullable(),
          lastReconciliation: reconciliationSchema.nullable(),
          past: z.array(quarantineSchema).readonly().describe('Newest first.'),
        }),
      },
    },
    errors: [],
    handle: async (_input, { quarantine }) => {
      const { quarantines, lastReconciliation } = await quarantine.read();
      const inForce = quarantines.find(({ lifted }) => lifted === null) ?? null;
      const past = quarantines.filter(({ lifted }) => lifted !== null);
      return answer(200, { quarantined: inForce !== null, inForce, lastReconciliation, past });
    },
  }),

  defineRoute({
    method: 'post',
    path: '/api/quarantine/lift',
    operationId: 'liftQuarantine',
    tag: 'Quarantine',
    summary: 'Let the restored database control again',
    description:
      'From then on loops plan and publish, dispatches go on and the API writes. Refused while nothing has compared the ' +
      'data with Temporal and the broker since the restore, or the comparison left something open; `force` does it nevertheless.',
    worksWhileQuarantined: true,
    body: z.strictObject({ reason: textField(500), force: z.boolean().default(false) }),
    answers: { 200: { description: 'It is lifted, and loops and dispatches were told.', schema: quarantineSchema } },
    errors: ['NOT_QUARANTINED', 'RECONCILIATION_MISSING', 'QUARANTINED'],
    audit: { action: 'quarantine.lift', subject: () => 'quarantine' },
    handle: async ({ body: { reason, force }, actor }, ports) => {
      const { quarantine, rootFeederIds, openDispatchIds } = await ports.quarantine.lift({ reason, force, actor });
      const { requestId } = actor;
      await wakeTrees(ports, rootFeederIds, requestId);
      await Promise.all(
        openDispatchIds.map((dispatchId) =>
          tellWorkflow(ports, 'tell-dispatch', { dispatchId, requestId }, (to) => to.tellDispatch(dispatchId)),
        ),
      );
      return answer(200, quarantine);
    },
  }),
];
