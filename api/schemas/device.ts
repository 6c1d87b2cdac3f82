import { z } from 'zod';
import { registryDeviceSchema } from '../../contracts/registry-file';
import { DEVICE_TYPES } from '../../contracts/topics';
import { idSchema, isChange, timestampSchema } from './fields';

const { feederId, ...settable } = registryDeviceSchema.omit({ deviceId: true, deviceType: true }).shape;

/** What is left out stays; `null` clears what may be empty. */
export const devicePatchBody = z
  .strictObject({ feederId: feederId.optional(), ...settable })
  .refine(...isChange)
  .meta({ id: 'DevicePatch' });

export const deviceSchema = z
  .strictObject({
    deviceId: idSchema,
    deviceType: z.enum(DEVICE_TYPES),
    feederId: idSchema,
    rootFeederId: idSchema,
    name: z.string().nullable(),
    sign: z.enum(['load', 'generator']).nullable(),
    maxImportKw: z.number().nullable(),
    maxExportKw: z.number().nullable(),
    minImportKw: z.number(),
    defaultPowerKw: z.number().nullable(),
    honoursExpiry: z.boolean(),
    weight: z.number(),
    reserveSoc: z.number(),
    targetSoc: z.number(),
    scheduledPowerKw: z.number(),
    rampKwPerS: z.number().nullable(),
    enabled: z.boolean(),
    feederOrigin: z.enum(['registry', 'wire']).describe('`registry`: the device cannot move itself any more.'),
    ratingOrigin: z.enum(['registry', 'wire']).describe('`registry`: the device cannot raise its own rating any more.'),
    revision: z.number().int(),
    updatedAt: timestampSchema,
    state: z.enum(['online', 'stale', 'offline']),
    notFollowing: z.boolean().describe('It is off its setpoint and planned at what it measures.'),
    reading: z
      .strictObject({
        sampledAt: timestampSchema,
        ageSeconds: z.number().describe("Corrected for the device's clock."),
        powerKw: z.number().describe('From the grid into the device.'),
        soc: z.number().nullable(),
        online: z.boolean(),
        faultCode: z.string().nullable(),
        clockOffsetSeconds: z.number().describe('How far its clock is behind ours; negative when ahead.'),
      })
      .nullable(),
    setpoint: z
      .strictObject({
        targetKw: z.number(),
        validUntil: timestampSchema,
        acknowledgedAt: timestampSchema.nullable(),
      })
      .nullable()
      .describe('The last one that the broker acknowledged.'),
  })
  .meta({ id: 'Device' });
