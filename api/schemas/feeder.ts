import { z } from 'zod';
import { registryFeederSchema } from '../../contracts/registry-file';
import { idSchema, isChange, timestampSchema, uuidSchema } from './fields';

const { parentId, name, importLimitKw, exportLimitKw, baseLoadKw } = registryFeederSchema.shape;

/** `PUT`: the whole of what people may set; what is left out is empty or zero. */
export const feederPutBody = z
  .strictObject({
    parentId: parentId.default(null),
    name: name.default(null),
    importLimitKw,
    exportLimitKw,
    baseLoadKw: baseLoadKw.default(0),
  })
  .meta({ id: 'FeederPut' });

/** `PATCH`: what is left out stays. */
export const feederPatchBody = z
  .strictObject({
    parentId,
    name,
    importLimitKw: importLimitKw.optional(),
    exportLimitKw: exportLimitKw.optional(),
    baseLoadKw,
  })
  .refine(...isChange)
  .meta({ id: 'FeederPatch' });

export const modeSchema = z.enum(['automatic', 'manual', 'disabled']);

export const limitInForceSchema = z.strictObject({
  kw: z.number().describe('Signed flow bound, import positive, kW.'),
  source: z
    .union([
      z.strictObject({ kind: z.literal('static') }),
      z.strictObject({ kind: z.literal('envelope'), envelopeId: z.string(), publishedBy: z.string() }),
      z.strictObject({ kind: z.literal('dispatch'), dispatchId: uuidSchema }),
    ])
    .describe('Whose it is.'),
});

export const deviceCountsSchema = z
  .strictObject({
    total: z.number().int(),
    online: z.number().int(),
    stale: z.number().int(),
    offline: z.number().int(),
    notFollowing: z.number().int(),
  })
  .describe('Devices at and below this node.');

export const feederRecordSchema = z.strictObject({
  feederId: idSchema,
  parentId: idSchema.nullable(),
  rootFeederId: idSchema,
  name: z.string().nullable(),
  importLimitKw: z.number(),
  exportLimitKw: z.number(),
  baseLoadKw: z.number(),
  mode: modeSchema.describe("The root's."),
  intervalSeconds: z.number().int().describe("The root's."),
  enabled: z.boolean().describe("The root's."),
  origin: z.enum(['registry', 'wire']),
  revision: z.number().int(),
  updatedAt: timestampSchema,
});

export const feederSchema = z
  .strictObject({
    ...feederRecordSchema.shape,
    flow: z
      .strictObject({ kw: z.number(), sampledAt: timestampSchema, ageSeconds: z.number(), stale: z.boolean() })
      .nullable()
      .describe('Latest of the meter, import positive; null without a meter.'),
    planned: z
      .strictObject({ highKw: z.number(), lowKw: z.number() })
      .nullable()
      .describe('Flow once every setpoint of the last plan holds.'),
    limitsInForce: z.strictObject({ high: limitInForceSchema, low: limitInForceSchema }),
    headroom: z
      .strictObject({ importKw: z.number(), exportKw: z.number() })
      .nullable()
      .describe('How far the flow may still move; negative when it is over.'),
    binding: z.enum(['import', 'export', 'none']).describe('The limit that holds devices back in the last plan.'),
    missingKw: z.number().describe('More than 0: even with every device at its bound it is this far over.'),
    lastCycle: z
      .strictObject({
        cycle: z.number().int(),
        finishedAt: timestampSchema.nullable(),
        ageSeconds: z.number().nullable(),
        ok: z.boolean().describe('Younger than three intervals or 30 s.'),
      })
      .nullable(),
    devices: deviceCountsSchema,
    activeDispatches: z.array(
      z.strictObject({
        dispatchId: uuidSchema,
        importLimitKw: z.number().nullable(),
        exportLimitKw: z.number().nullable(),
        targetKw: z.number().nullable(),
        endsAt: timestampSchema,
      }),
    ),
    temporalUrl: z.string().nullable().describe("The root's loop in Temporal UI."),
  })
  .meta({ id: 'Feeder' });

export type FeederView = z.input<typeof feederSchema>;
