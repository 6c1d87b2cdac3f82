import { z } from 'zod';
import { DermsError } from '../domain/errors';
import { idSchema, isNearYear } from './schemas/fields';

/** A cursor names the last entry of a page. Opaque to callers; checked like everything else that comes from outside. */
export const encodeCursor = (values: readonly (string | number)[]): string =>
  Buffer.from(JSON.stringify(values)).toString('base64url');

/**
 * null when there is none.
 *
 * @throws {DermsError} VALIDATION_FAILED
 */
export function readCursor<Schema extends z.ZodType>(
  schema: Schema,
  cursor: string | undefined,
): z.output<Schema> | null {
  if (cursor === undefined) return null;
  const result = schema.safeParse(jsonIn(cursor));
  if (result.success) return result.data;
  const faults = [{ pointer: '/query/cursor', message: 'is no cursor of this list' }];
  throw new DermsError('VALIDATION_FAILED', 'The request has one fault; nothing was done.', { faults });
}

/** Cuts the entry off that was read beyond the page, and names the last one of the page when there was one beyond. */
export function pageOfRows<Row>(
  rows: readonly Row[],
  limit: number,
  cursorOf: (last: Row) => readonly (string | number)[],
): { items: Row[]; nextCursor: string | null } {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return { items, nextCursor: rows.length > limit && last !== undefined ? encodeCursor(cursorOf(last)) : null };
}

/** As `db/exact-utc.ts` writes it. */
export const exactTime = z.iso.datetime({ precision: 6 }).refine(isNearYear);
export const timeCursor = z.tuple([exactTime]);
export const idCursor = z.tuple([idSchema]);
export const numberCursor = z.tuple([z.number().int().min(0)]);

function jsonIn(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
}
