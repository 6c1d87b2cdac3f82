import { z } from 'zod';
import { HIGHEST_PRIMACY } from '../../domain/dispatch-rules';
import { DEVICE_TYPES } from '../../contracts/topics';
import { idSchema, limitKwSchema, signedKwSchema, textField, timestampSchema, uuidSchema } from './fields';
import { limitInForceSchema, modeSchema } from './feeder';

const whole = z.number().int();
const share = z.number().min(0).max(1);

export const nodeWhySchema = z
  .strictObject({
    feederId: idSchema,
    high: limitInForceSchema,
    low: limitInForceSchema,
    claims: z
      .array(limitInForceSchema.extend({ side: z.enum(['import', 'export']) }))
      .readonly()
      .describe('Everything that speaks for this node beside its static limits, the tightest or not.'),
    measuredKw: z.number().nullable(),
    plannedHighKw: z.number(),
    plannedLowKw: z.number(),
    uncontrolledHighKw: z.number(),
    uncontrolledLowKw: z.number(),
    meterStale: z.boolean(),
    binding: z.enum(['import', 'export', 'none']),
    missingKw: z.number().describe('More than 0: even with every device at its bound it is this far over.'),
    importSlackKw: z.number().describe('How far the planned flow is inside the limit; negative when over.'),
    exportSlackKw: z.number(),
    words: z.array(z.string()).readonly(),
  })
  .meta({ id: 'NodeWhy' });

const explanationSchema = z.strictObject({
  level: z.number().describe('Position on the level axis; 0 = at its want.'),
  tier: whole.describe('Relief step: 0 none, 1 batteries, 2 EVs, 3 PV.'),
  boundBy: z.string().nullable().describe('The node whose limit holds it.'),
  note: z.string(),
});

const basisSchema = z
  .strictObject({
    kind: z.enum(['now', 'cycle']),
    at: timestampSchema,
    cycle: whole.nullable(),
    chainId: uuidSchema.nullable(),
    planId: uuidSchema.nullable(),
    solverVersion: z.string().nullable(),
    inputDigest: z.string().nullable().describe('SHA-256 of the recorded input.'),
  })
  .describe('What it was planned from.');

export const deviceWhySchema = z
  .strictObject({
    deviceId: idSchema,
    deviceType: z.enum(DEVICE_TYPES),
    feederId: idSchema,
    basis: basisSchema,
    targetKw: z.number().describe('What it is planned at; import positive.'),
    measuredKw: z.number().nullable(),
    readingAgeSeconds: z.number().nullable(),
    waitsSince: timestampSchema.nullable().describe('EV with a minimum: since when it waits for its turn.'),
    explanation: explanationSchema,
    path: z.array(nodeWhySchema).readonly().describe('From its own feeder up to the root.'),
    words: z.array(z.string()).readonly().describe('The same for people, a sentence each.'),
  })
  .meta({ id: 'DeviceWhy' });

export const plannedDeviceSchema = z
  .strictObject({
    deviceId: idSchema,
    feederId: idSchema,
    targetKw: z.number(),
    inForceKw: z.number().nullable().describe('What it is compared with; null when nobody knows.'),
    differenceKw: z.number().nullable(),
    explanation: explanationSchema,
  })
  .meta({ id: 'PlannedDevice' });

const shortfalls = z
  .array(z.strictObject({ dispatchId: z.string(), feederId: idSchema, shortfallKw: z.number() }))
  .readonly()
  .describe('Per dispatch in force, what it asks and cannot get.');

const planShape = {
  rootFeederId: idSchema,
  basis: basisSchema,
  mode: modeSchema,
  nodes: z.array(nodeWhySchema).readonly().describe('Root first.'),
  devices: z.array(plannedDeviceSchema).readonly().describe('Those that differ most first.'),
  deviceCount: whole,
  differing: whole.describe('Devices whose target differs by more than a watt.'),
  shortfalls,
  words: z.array(z.string()).readonly().describe('What is worth saying, a sentence each.'),
};

export const planSchema = z
  .strictObject({
    ...planShape,
    replay: z
      .strictObject({
        identical: z.boolean().describe('Nodes and changed setpoints are those that were stored, to the bit.'),
        compared: z.enum(['nodes-and-setpoints', 'nodes']).describe('In manual mode people decided the setpoints.'),
      })
      .nullable()
      .describe('For a stored cycle.'),
  })
  .meta({ id: 'Plan' });

export const cycleStorySchema = z
  .strictObject({
    ...planShape,
    cycle: whole,
    chainId: uuidSchema,
    planId: uuidSchema,
    plannedAt: timestampSchema,
    tickAt: timestampSchema,
    missedTicks: whole,
    intervalSeconds: whole,
    changes: whole,
    renewals: whole,
    infeasible: z.boolean(),
    summary: z.string(),
    notes: z.record(z.string(), whole).readonly().describe('Devices by what their explanation says.'),
  })
  .meta({ id: 'CycleStory' });

/** Everything is optional; what is left out is as it is. */
export const whatIfBody = z
  .strictObject({
    cycle: whole.min(0).optional().describe('Plan this stored cycle again instead of the present.'),
    chainId: uuidSchema.optional().describe('Of that cycle; default: the newest that has it.'),
    feeders: z
      .array(
        z.strictObject({
          feederId: idSchema,
          importLimitKw: limitKwSchema.optional(),
          exportLimitKw: limitKwSchema.optional(),
          baseLoadKw: signedKwSchema.optional(),
          flowKw: signedKwSchema.optional().describe('What its meter is to show.'),
        }),
      )
      .max(1_000)
      .default([]),
    devices: z
      .array(
        z.strictObject({
          deviceId: idSchema,
          powerKw: signedKwSchema.optional().describe('What it is to measure; import positive.'),
          soc: share.nullable().optional(),
          ageSeconds: z.number().min(0).max(1e9).optional(),
          online: z.boolean().optional(),
          faultCode: textField(100).nullable().optional(),
          maxImportKw: limitKwSchema.nullable().optional(),
          maxExportKw: limitKwSchema.nullable().optional(),
          minImportKw: limitKwSchema.optional(),
          weight: limitKwSchema.optional(),
          reserveSoc: share.optional(),
          targetSoc: share.optional(),
          scheduledPowerKw: signedKwSchema.optional(),
          rampKwPerS: z.number().gt(0).max(1e6).nullable().optional(),
        }),
      )
      .max(1_000)
      .default([]),
    dispatches: z
      .array(
        z.strictObject({
          feederId: idSchema.optional().describe('Default: the feeder of the path.'),
          importLimitKw: limitKwSchema.optional(),
          exportLimitKw: limitKwSchema.optional(),
          targetKw: signedKwSchema.optional(),
          primacy: whole.min(0).max(HIGHEST_PRIMACY).default(100),
        }),
      )
      .max(100)
      .default([])
      .describe('Dispatches that do not exist, as if they were in force.'),
    withoutDispatches: z.array(uuidSchema).max(100).default([]).describe('Dispatches in force, as if they were not.'),
    limit: whole.min(1).max(10_000).default(100).describe('Most devices of the answer.'),
  })
  .meta({
    id: 'WhatIf',
    example: { dispatches: [{ importLimitKw: 60 }], devices: [{ deviceId: 'ev-1', soc: 0.2 }] },
  });
