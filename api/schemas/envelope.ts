import { z } from 'zod';
import { MOST_INTERVALS } from '../../domain/envelopes';
import { idSchema, limitKwSchema, timeSchema, timestampSchema } from './fields';

export const sourceSchema = z
  .string()
  .regex(/^[A-Za-z0-9._:-]{1,64}$/, 'is not the name of a source: 1 to 64 of A-Z a-z 0-9 . _ : -')
  .describe('Who publishes: the network operator, an aggregator, a building.');

/** What it looks like; whether it makes sense is decided by `domain/envelopes.ts`. */
export const envelopesBody = z
  .strictObject({
    intervals: z
      .array(
        z.strictObject({
          startsAt: timeSchema,
          endsAt: timeSchema.describe('Excluded.'),
          importLimitKw: limitKwSchema.optional().describe('Most that may flow in, kW.'),
          exportLimitKw: limitKwSchema.optional().describe('Most that may flow out, kW; no sign.'),
        }),
      )
      .max(MOST_INTERVALS)
      .describe('All that this source says from now on; an empty list takes everything back.'),
  })
  .meta({
    id: 'EnvelopesPut',
    example: {
      intervals: [{ startsAt: '2026-05-01T12:00:00Z', endsAt: '2026-05-01T12:05:00Z', exportLimitKw: 40 }],
    },
  });

export const envelopeSchema = z
  .strictObject({
    envelopeId: z.string(),
    feederId: idSchema,
    source: z.string(),
    startsAt: timestampSchema,
    endsAt: timestampSchema,
    importLimitKw: z.number().nullable(),
    exportLimitKw: z.number().nullable(),
    receivedAt: timestampSchema,
    receivedBy: z.string(),
    withdrawnAt: timestampSchema.nullable().describe('Replaced or taken back since then; null while it stands.'),
    withdrawnBy: z.string().nullable(),
  })
  .meta({ id: 'Envelope' });

export const envelopesSetSchema = z
  .strictObject({
    feederId: idSchema,
    rootFeederId: idSchema,
    source: z.string(),
    added: z.number().int(),
    withdrawn: z.number().int(),
    unchanged: z.number().int().describe('Said again, or over already.'),
  })
  .meta({ id: 'EnvelopesSet' });
