import { z } from 'zod';
import { exactTime, pageOfRows, readCursor } from '../cursor';
import { cancelAndConfirm } from '../dispatch/cancel';
import { requestDispatch } from '../dispatch/request';
import { answer, defineRoute, type Route } from '../route';
import {
  dispatchAcceptedSchema,
  dispatchBody,
  dispatchCancelledSchema,
  dispatchSchema,
  dispatchStateSchema,
  dispatchStorySchema,
  idempotencyHeader,
} from '../schemas/dispatch';
import { cursorField, flagField, idSchema, pageLimit, pageOf, textField, uuidSchema } from '../schemas/fields';
import { dispatchUrl } from '../temporal-links';

const dispatchParams = z.strictObject({ dispatchId: uuidSchema });
const acceptanceCursor = z.tuple([exactTime, z.uuid()]);

export const dispatchRoutes: readonly Route[] = [
  defineRoute({
    method: 'post',
    path: '/api/dispatches',
    operationId: 'requestDispatch',
    tag: 'Dispatches',
    summary: 'Hold a limit or reach a target at a feeder for a while',
    description:
      'Accepted or refused at once; what is accepted starts, ends and is reported whatever happens to our processes. ' +
      'Limits of overlapping dispatches intersect: the tightest holds. With `validateOnly` nothing is stored and the ' +
      'answer (200) says what would have been accepted.',
    query: z.strictObject({ validateOnly: flagField('Decide and store nothing.') }),
    headers: idempotencyHeader,
    body: dispatchBody,
    answers: {
      200: { description: 'It would be accepted.', schema: dispatchAcceptedSchema },
      202: {
        description: 'Accepted; a repetition gets the same answer.',
        schema: dispatchAcceptedSchema,
        headers: { Location: 'The dispatch.' },
        sometimes: { 'Idempotent-Replayed': '`true` when the request came before.' },
      },
    },
    errors: [
      'FEEDER_NOT_FOUND',
      'FEEDER_DISABLED',
      'DISPATCH_CONFLICT',
      'DISPATCH_UNREACHABLE',
      'IDEMPOTENCY_KEY_MISSING',
      'IDEMPOTENCY_KEY_REUSED',
    ],
    needsTemporal: ({ query }) => !query.validateOnly,
    audit: { action: 'dispatch.request', subject: ({ body }) => body.feederId },
    handle: async ({ query: { validateOnly }, headers, body, actor }, ports) => {
      const idempotencyKey = headers['idempotency-key'];
      const accepted = await requestDispatch(ports, { body, idempotencyKey, validateOnly, actor });
      const { dispatch, supersedes, warnings, repeated } = accepted;
      if (validateOnly) return answer(200, { ...dispatch, supersedes, warnings, temporalUrl: null });
      const temporalUrl = dispatchUrl(ports.settings, dispatch.dispatchId);
      return answer(
        202,
        { ...dispatch, supersedes, warnings, temporalUrl },
        {
          Location: `/api/dispatches/${dispatch.dispatchId}`,
          ...(repeated ? { 'Idempotent-Replayed': 'true' } : {}),
        },
      );
    },
  }),

  defineRoute({
    method: 'get',
    path: '/api/dispatches',
    operationId: 'listDispatches',
    tag: 'Dispatches',
    summary: 'Dispatches, newest first',
    query: z.strictObject({
      feederId: idSchema.optional(),
      state: dispatchStateSchema.optional(),
      open: flagField('Only those that are not over.'),
      limit: pageLimit(500, 50),
      cursor: cursorField,
    }),
    answers: { 200: { description: 'A page of dispatches.', schema: pageOf(dispatchSchema) } },
    errors: [],
    handle: async ({ query: { feederId, state, open, limit, cursor } }, { dispatches, settings }) => {
      const before = readCursor(acceptanceCursor, cursor);
      const rows = await dispatches.list({
        feederId: feederId ?? null,
        state: state ?? null,
        openOnly: open,
        before: before === null ? null : { acceptedAt: before[0], dispatchId: before[1] },
        limit: limit + 1,
      });
      const page = pageOfRows(rows, limit, ({ exactAcceptedAt, dispatch }) => [exactAcceptedAt, dispatch.dispatchId]);
      const items = page.items.map(({ dispatch }) => ({
        ...dispatch,
        temporalUrl: dispatchUrl(settings, dispatch.dispatchId),
      }));
      return answer(200, { items, nextCursor: page.nextCursor });
    },
  }),

  defineRoute({
    method: 'get',
    path: '/api/dispatches/{dispatchId}',
    operationId: 'readDispatch',
    tag: 'Dispatches',
    summary: 'One dispatch: its history, what was measured, its report',
    params: dispatchParams,
    answers: { 200: { description: 'The dispatch.', schema: dispatchStorySchema } },
    errors: ['DISPATCH_NOT_FOUND'],
    handle: async ({ params: { dispatchId } }, { dispatches, settings }) => {
      const story = await dispatches.read(dispatchId);
      return answer(200, { ...story, temporalUrl: dispatchUrl(settings, dispatchId) });
    },
  }),

  defineRoute({
    method: 'post',
    path: '/api/dispatches/{dispatchId}/cancel',
    operationId: 'cancelDispatch',
    tag: 'Dispatches',
    summary: 'End it now',
    description: 'Answers when nothing of it holds any more, or after 5 s with 202 and why that is not known yet.',
    params: dispatchParams,
    body: z.strictObject({ reason: textField(500) }),
    answers: {
      200: { description: 'Cancelled, and in effect.', schema: dispatchCancelledSchema },
      202: { description: 'Cancelled; the loop has not confirmed it yet.', schema: dispatchCancelledSchema },
    },
    errors: ['DISPATCH_NOT_FOUND', 'DISPATCH_CLOSED'],
    needsTemporal: true,
    audit: { action: 'dispatch.cancel', subject: ({ params }) => params.dispatchId },
    handle: async ({ params: { dispatchId }, body: { reason }, actor }, ports) => {
      const { dispatch, effectiveAt, unconfirmed } = await cancelAndConfirm(ports, { dispatchId, reason, actor });
      const temporalUrl = dispatchUrl(ports.settings, dispatchId);
      const body = { ...dispatch, temporalUrl, effectiveAt, unconfirmed };
      return effectiveAt === null ? answer(202, body) : answer(200, body);
    },
  }),
];
