import { z } from 'zod';
import { DISPATCH_TRANSITIONS, type DispatchState } from '../../domain/dispatch';
import { HIGHEST_PRIMACY } from '../../domain/dispatch-rules';
import { idSchema, limitKwSchema, signedKwSchema, textField, timeSchema, timestampSchema, uuidSchema } from './fields';

export const dispatchStateSchema = z.enum(Object.keys(DISPATCH_TRANSITIONS) as DispatchState[]); // its own keys

/** What it looks like; whether it makes sense is decided by `domain/dispatch-rules.ts`. */
export const dispatchBody = z
  .strictObject({
    feederId: idSchema,
    startsAt: timeSchema.optional().describe('Default: now. A start in the past is taken as now.'),
    endsAt: timeSchema.describe('At most 7 days after the start.'),
    importLimitKw: limitKwSchema.optional().describe('Most that may flow into the feeder, kW.'),
    exportLimitKw: limitKwSchema.optional().describe('Most that may flow out of it, kW.'),
    targetKw: signedKwSchema.optional().describe('Flow to hold, import positive, kW; instead of limits.'),
    primacy: z
      .number()
      .int()
      .min(0)
      .max(HIGHEST_PRIMACY)
      .default(100)
      .describe('Lower wins where two dispatches exclude each other; at equal numbers the earlier one.'),
    reason: textField(500),
    randomizeStartSeconds: z
      .number()
      .int()
      .min(0)
      .max(86_400)
      .default(0)
      .describe('The start is drawn between 0 and this after `startsAt`, at acceptance.'),
    expiresAt: timeSchema.optional().describe('Latest moment of a first start; later it never fires.'),
  })
  .meta({
    id: 'DispatchRequest',
    example: {
      feederId: 'feeder-a',
      startsAt: '2026-05-01T17:00:00Z',
      endsAt: '2026-05-01T19:00:00Z',
      importLimitKw: 60,
      reason: 'transformer maintenance',
    },
  });

export const idempotencyHeader = z.strictObject({
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, 'is 1 to 255 printable characters without spaces')
    .describe('Names this request: sent again, it is answered as before and done once.'),
});

const dispatchShape = {
  dispatchId: uuidSchema,
  feederId: idSchema,
  rootFeederId: idSchema,
  startsAt: timestampSchema,
  endsAt: timestampSchema,
  beginsAt: timestampSchema.describe('When it really begins: start or acceptance, plus the drawn delay.'),
  expiresAt: timestampSchema.nullable(),
  importLimitKw: z.number().nullable(),
  exportLimitKw: z.number().nullable(),
  targetKw: z.number().nullable(),
  primacy: z.number().int(),
  reason: z.string(),
  randomizeStartSeconds: z.number().int(),
  state: dispatchStateSchema,
  requestedBy: z.string(),
  acceptedAt: timestampSchema,
  baselineKw: z.number().nullable().describe('Measured flow when it began.'),
  supersededBy: uuidSchema.nullable(),
  revision: z.number().int(),
  temporalUrl: z.string().nullable(),
};

export const dispatchSchema = z.strictObject(dispatchShape).meta({ id: 'Dispatch' });

export const dispatchAcceptedSchema = z
  .strictObject({
    ...dispatchShape,
    supersedes: z.array(uuidSchema).readonly().describe('Dispatches that this one has closed.'),
    warnings: z.array(z.string()).readonly(),
  })
  .meta({ id: 'DispatchAccepted' });

export const dispatchStorySchema = z
  .strictObject({
    ...dispatchShape,
    history: z
      .array(
        z.strictObject({
          revision: z.number().int(),
          at: timestampSchema,
          state: z.string(),
          actor: z.string(),
          reason: z.string(),
        }),
      )
      .readonly(),
    measurements: z.strictObject({
      cycles: z.number().int(),
      firstAt: timestampSchema.nullable(),
      lastAt: timestampSchema.nullable(),
      lastMeasuredKw: z.number().nullable(),
      lastHighKw: z.number().nullable(),
      lastLowKw: z.number().nullable(),
      averageMeasuredKw: z.number().nullable(),
    }),
    report: z.unknown().describe('Made when it is over.'),
  })
  .meta({ id: 'DispatchStory' });

export const dispatchCancelledSchema = z
  .strictObject({
    ...dispatchShape,
    effectiveAt: timestampSchema.nullable().describe('From then on nothing of it holds.'),
    unconfirmed: z.string().nullable().describe('Why that is not known yet.'),
  })
  .meta({ id: 'DispatchCancelled' });
