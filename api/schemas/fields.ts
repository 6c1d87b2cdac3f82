import { z } from 'zod';
import { ID_PATTERN } from '../../contracts/topics';
import type { Preconditions, SeenRevisions } from '../../domain/preconditions';

/** Building bricks of requests and answers. Requests are strict: a field that nobody knows is named as a fault. */
export const idSchema = z.string().regex(ID_PATTERN, 'is not an id: 1 to 128 of A-Z a-z 0-9 . _ : -');
export const uuidSchema = z.uuid('is not a UUID');

/** In requests: words of people. Neither control characters nor half a character, which Postgres would not take. */
export const textField = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    .refine((text) => !/[\p{Cc}\p{Cs}]/u.test(text), 'has control characters');

/** In requests: a time without zone means nothing. */
export const timeSchema = z.iso
  .datetime({
    offset: true,
    error: 'is not a time with its zone, such as 2026-05-01T17:00:00Z or 2026-05-01T19:00:00+02:00',
  })
  .refine((text) => !Number.isNaN(Date.parse(text)), 'is not a time that exists')
  .refine((text) => !/[+-](1[6-9]|2\d):?\d\d$/.test(text), 'is in no zone that exists')
  .refine(isNearYear, 'is not in this century or its neighbours');
/** Years that Postgres and `Date` read alike. */
export function isNearYear(text: string): boolean {
  return /^(19|20|21)\d\d-/.test(text);
}
/** In answers: ISO 8601, UTC. */
export const timestampSchema = z.string().meta({ format: 'date-time' });

/** A gigawatt: beyond it is a broken number. */
const MAX_KW = 1e6;
export const limitKwSchema = z.number().min(0, 'is negative; limits carry no sign').max(MAX_KW);
export const signedKwSchema = z.number().min(-MAX_KW).max(MAX_KW);

export const pageLimit = (most: number, byDefault: number) =>
  z.coerce
    .number()
    .int()
    .min(1)
    .max(most)
    .default(byDefault)
    .describe(`Most entries of one page, up to ${String(most)}.`);
export const cursorField = z.string().max(512).optional().describe('`nextCursor` of the page before.');
export const flagField = (description: string) =>
  z
    .enum(['true', 'false'])
    .default('false')
    .transform((value) => value === 'true')
    .describe(description);

/** A page of a list; `nextCursor` is null on the last one. */
export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.strictObject({ items: z.array(item), nextCursor: z.string().nullable() });

/** For `PATCH`: an empty change is a mistake. Looked at only when the fields themselves are sound. */
export const isChange = [
  (body: object): boolean => Object.keys(body).length > 0,
  { error: 'names nothing to change', when: ({ issues }: { issues: readonly unknown[] }) => issues.length === 0 },
] as const;

export const feederParams = z.strictObject({ feederId: idSchema });
export const deviceParams = z.strictObject({ deviceId: idSchema });

/** Of RFC 9110, weak and foreign ones too; a bare revision, as people type it, is taken as well. */
const TAG = /(?:W\/)?"[\x21\x23-\x7e]*"|\d{1,9}(?:-[\w-]{1,64})?/.source;
const TAG_LIST = new RegExp(`^(?:\\*|(?:${TAG})(?:[ \\t]*,[ \\t]*(?:${TAG}))*)$`);
/** What we have answered: a revision, and after it what the answer said. */
const OURS = /^"?(\d{1,9})(?:-[\w-]{1,64})?"?$/;

const seenRevisions = z
  .string()
  .regex(TAG_LIST, 'is no list of ETags: give the one that was answered, a revision such as "3", or *')
  .transform((text): SeenRevisions => {
    if (text === '*') return 'any';
    // A weak tag is never the same as another, by the comparison that changes ask for; a foreign one is none of ours.
    const revisions = (text.match(new RegExp(TAG, 'g')) ?? []).map((tag) => OURS.exec(tag)?.[1]);
    return revisions.filter((revision) => revision !== undefined).map(Number);
  })
  .optional();

export const preconditionHeaders = z.strictObject({
  'if-match': seenRevisions.describe(
    'The `ETag` that you saw, or several; its revision counts, in front of the `-`. `*`: whatever it says, if it exists.',
  ),
  'if-none-match': seenRevisions.describe(
    '`*`: only if it does not exist. An `ETag`, or several: only if it is at another revision by now.',
  ),
});
export const preconditionsOf = (headers: z.output<typeof preconditionHeaders>): Preconditions => ({
  ifMatch: headers['if-match'] ?? null,
  ifNoneMatch: headers['if-none-match'] ?? null,
});
export const etagOf = (revision: number): Record<string, string> => ({ ETag: `"${String(revision)}"` });
export const ETAG_HEADER = { ETag: 'Its revision, and what it says; send it back as `If-Match`.' };
