import { z } from 'zod';
import { idSchema, timestampSchema, uuidSchema } from './fields';
import { modeSchema } from './feeder';

const whole = z.number().int();

/** What the workflow answers for itself. Loose: a worker that is newer than this process may say more. */
const workflowStatusSchema = z
  .looseObject({
    rootFeederId: idSchema,
    chainId: z.string(),
    cycle: whole,
    mode: modeSchema,
    intervalSeconds: z.number(),
    nextTickAtMs: z.number().nullable(),
    lastResult: z.looseObject({ cycle: whole, atMs: z.number(), outcome: z.string(), summary: z.string() }).nullable(),
    failedCycles: whole,
    missedTicks: whole,
  })
  .meta({ id: 'ControlLoopWorkflow' });

export const controlLoopSchema = z
  .strictObject({
    rootFeederId: idSchema.describe('One loop controls the whole tree.'),
    workflowId: z.string(),
    temporalUrl: z.string().nullable(),
    mode: modeSchema,
    intervalSeconds: whole,
    enabled: z.boolean(),
    ok: z.boolean().describe('The last finished cycle is younger than three intervals, or 30 s.'),
    last: z
      .strictObject({
        chainId: uuidSchema,
        chainStartedAt: timestampSchema,
        cycle: whole,
        planId: uuidSchema.nullable(),
        tickAt: timestampSchema.nullable(),
        plannedAt: timestampSchema.nullable(),
        finishedAt: timestampSchema.nullable(),
        finishedAgeSeconds: z.number().nullable(),
        finishedCycle: whole.nullable(),
        missedTicks: whole.describe('Ticks that no cycle was begun for.'),
        onTimeTicks: whole.describe('Ticks whose cycle went all the way within one interval.'),
        lateTicks: whole.describe('Ticks whose cycle went all the way later than that, or never.'),
        tickAgeSeconds: z.number().nullable().describe('Since the tick that was planned last.'),
        nodes: z.array(z.unknown()).readonly().describe('What the last plan says of each node of the tree.'),
      })
      .nullable(),
    proposal: z
      .strictObject({
        planId: uuidSchema,
        proposedAt: timestampSchema,
        targets: z.record(z.string(), z.number()).readonly().describe('kW by device, import positive.'),
        approvedBy: z.string().nullable(),
        approvedAt: timestampSchema.nullable(),
        appliedAt: timestampSchema.nullable(),
      })
      .nullable()
      .describe('Manual mode: the plan that waits for approval, or was approved last.'),
    workflow: workflowStatusSchema.nullable(),
    workflowUnavailable: z.string().nullable().describe('Why `workflow` is null.'),
  })
  .meta({ id: 'ControlLoop' });

export const loopOrderedSchema = z
  .strictObject({
    rootFeederId: idSchema.describe('The root whose loop it is.'),
    mode: modeSchema,
    intervalSeconds: whole,
    enabled: z.boolean(),
    temporalUrl: z.string().nullable(),
  })
  .meta({ id: 'ControlLoopOrdered' });
