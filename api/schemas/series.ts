import { z } from 'zod';
import type { SeriesPage } from '../../db/telemetry-reads';
import { DermsError } from '../../domain/errors';
import { readCursor, timeCursor } from '../cursor';
import { cursorField, pageLimit, timeSchema, timestampSchema } from './fields';

const HOUR_MS = 3_600_000;

export const seriesQuery = z.strictObject({
  from: timeSchema.optional().describe('Included. Default: an hour before `to`.'),
  to: timeSchema.optional().describe('Excluded. Default: now.'),
  limit: pageLimit(10_000, 1_000),
  cursor: cursorField,
  resolution: z
    .enum(['raw', 'quarter-hour'])
    .default('raw')
    .describe(
      'Samples as they came, kept for `TELEMETRY_RETENTION_DAYS`; or quarters of an hour that begin in the stretch, kept two years longer.',
    ),
});

export const quarterHourSchema = z
  .strictObject({
    quarterAt: timestampSchema.describe('When the quarter began.'),
    samples: z.number().int(),
    meanKw: z.number(),
    minKw: z.number(),
    maxKw: z.number(),
  })
  .meta({ id: 'QuarterHour' });

/**
 * The stretch that is asked for, one row longer than the page, so that it is known whether there is another.
 *
 * @throws {DermsError} VALIDATION_FAILED
 */
export function seriesWindow(
  { from, to, limit, cursor }: Omit<z.output<typeof seriesQuery>, 'resolution'>,
  nowMs = Date.now(),
): SeriesPage {
  const toMs = to === undefined ? nowMs : Date.parse(to);
  const fromMs = from === undefined ? toMs - HOUR_MS : Date.parse(from);
  if (fromMs >= toMs) {
    const faults = [{ pointer: '/query/from', message: 'is not before `to`' }];
    throw new DermsError('VALIDATION_FAILED', 'The request has one fault; nothing was done.', { faults });
  }
  const after = readCursor(timeCursor, cursor);
  return {
    from: new Date(fromMs).toISOString(),
    to: new Date(toMs).toISOString(),
    after: after === null ? null : after[0],
    limit: limit + 1,
  };
}
