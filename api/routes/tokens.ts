import { z } from 'zod';
import { v7 as uuidv7 } from 'uuid';
import { DermsError, type FieldFault } from '../../domain/errors';
import { machineTokenHash, newMachineToken } from '../auth/token-register';
import { scopeFault, SCOPES } from '../auth/scopes';
import { numberCursor, pageOfRows, readCursor } from '../cursor';
import { answer, defineRoute, type Route } from '../route';
import { cursorField, pageLimit, pageOf, textField, timeSchema, timestampSchema, uuidSchema } from '../schemas/fields';

const uuidCursor = z.tuple([uuidSchema]);
const reason = textField(500);
const listQuery = z.strictObject({ limit: pageLimit(200, 50), cursor: cursorField });

const machineTokenSchema = z
  .strictObject({
    tokenId: uuidSchema,
    name: z.string(),
    issuer: z.string().describe('The environment that it counts in, and no other.'),
    scopes: z.array(z.string()).readonly(),
    purpose: z.string(),
    issuedAt: timestampSchema,
    issuedBy: z.string(),
    expiresAt: timestampSchema,
    lastUsedAt: timestampSchema.nullable().describe('To the minute or two.'),
    lastUsedAddress: z.string().nullable(),
    revoked: z.strictObject({ at: timestampSchema, by: z.string(), reason: z.string() }).nullable(),
  })
  .meta({ id: 'MachineToken' });

const machineTokenBody = z
  .strictObject({
    name: z
      .string()
      .regex(/^[A-Za-z0-9._-]{1,64}$/, 'is not a name: 1 to 64 of A-Z a-z 0-9 . _ -')
      .describe(
        'Who it is for; in the audit as `machine:…`. Two may have one, while one takes the place of the other.',
      ),
    scopes: z
      .array(z.string().min(1).max(200))
      .min(1)
      .max(20)
      .describe(`What it may: ${SCOPES.map((scope) => `\`${scope}\``).join(', ')}; the last part may be \`*\`.`),
    purpose: textField(500),
    validDays: z.number().int().min(1).max(365).default(90).describe('Then it is over, and another must be issued.'),
  })
  .meta({ id: 'MachineTokenRequest' });

const revocationSchema = z
  .strictObject({
    id: z.number().int(),
    at: timestampSchema,
    by: z.string(),
    reason: z.string(),
    user: z.string().nullable().describe('null: everybody’s tokens.'),
    issuedBefore: timestampSchema,
  })
  .meta({ id: 'TokenRevocation' });

const revocationBody = z
  .strictObject({
    reason,
    user: z
      .string()
      .min(1)
      .max(64)
      .optional()
      .describe('Only tokens of this user; default everybody’s, yours included.'),
    issuedBefore: timeSchema.optional().describe('Default now. Not in the future: nobody could log in until then.'),
    machineTokens: z
      .boolean()
      .optional()
      .describe('Machine tokens issued before it too; default true for everybody, false for one user.'),
  })
  .meta({ id: 'TokenRevocationRequest' });

/** Tokens of machines, and what ends tokens before their time. */
export const tokenRoutes: readonly Route[] = [
  defineRoute({
    method: 'get',
    path: '/api/auth/machine-tokens',
    operationId: 'listMachineTokens',
    tag: 'Tokens',
    summary: 'Tokens of machines, newest first; revoked and expired ones too',
    query: listQuery,
    answers: { 200: { description: 'A page, without the tokens themselves.', schema: pageOf(machineTokenSchema) } },
    errors: [],
    handle: async ({ query: { limit, cursor } }, { machineTokens }) => {
      const [beforeId] = readCursor(uuidCursor, cursor) ?? [null];
      const rows = await machineTokens.list({ beforeId, limit: limit + 1 });
      return answer(
        200,
        pageOfRows(rows, limit, ({ tokenId }) => [tokenId]),
      );
    },
  }),

  defineRoute({
    method: 'post',
    path: '/api/auth/machine-tokens',
    operationId: 'issueMachineToken',
    tag: 'Tokens',
    summary: 'A token for a CronJob, a scraper, or another system',
    description:
      'The answer is the only place where the token stands: we keep its hash. It counts at once here, within 5 s everywhere.',
    body: machineTokenBody,
    answers: {
      201: {
        description: 'The token, this once.',
        schema: z.strictObject({ token: z.string(), machineToken: machineTokenSchema }),
      },
    },
    errors: [],
    audit: { action: 'machine-token.issue', subject: ({ body }) => body.name },
    handle: async ({ body: { name, scopes, purpose, validDays }, actor }, ports) => {
      const { machineTokens, jobs, tokenRegister, settings } = ports;
      refuseScopes(scopes, jobs.declared);
      const token = newMachineToken();
      const machineToken = await machineTokens.issue({
        ...{ tokenId: uuidv7(), tokenHash: machineTokenHash(token), issuer: settings.issuer },
        ...{ name, scopes: [...new Set(scopes)].sort(), purpose, validDays, actor },
      });
      await tokenRegister.lookNow();
      return answer(201, { token, machineToken });
    },
  }),

  defineRoute({
    method: 'post',
    path: '/api/auth/machine-tokens/{tokenId}/revoke',
    operationId: 'revokeMachineToken',
    tag: 'Tokens',
    summary: 'End a machine token now',
    description: 'It is refused here at once and within 5 s everywhere. Revoking again changes nothing.',
    worksWhileQuarantined: true,
    params: z.strictObject({ tokenId: uuidSchema }),
    body: z.strictObject({ reason }),
    answers: { 200: { description: 'As it is now.', schema: machineTokenSchema } },
    errors: ['MACHINE_TOKEN_NOT_FOUND'],
    audit: { action: 'machine-token.revoke', subject: ({ params }) => params.tokenId },
    handle: async ({ params: { tokenId }, body, actor }, { machineTokens, tokenRegister }) => {
      const machineToken = await machineTokens.revoke({ tokenId, reason: body.reason, actor });
      await tokenRegister.lookNow();
      return answer(200, machineToken);
    },
  }),

  defineRoute({
    method: 'get',
    path: '/api/auth/revocations',
    operationId: 'listTokenRevocations',
    tag: 'Tokens',
    summary: 'When tokens were ended before their time, newest first',
    query: listQuery,
    answers: { 200: { description: 'A page.', schema: pageOf(revocationSchema) } },
    errors: [],
    handle: async ({ query: { limit, cursor } }, { revocations }) => {
      const [beforeId] = readCursor(numberCursor, cursor) ?? [null];
      const rows = await revocations.list({ beforeId, limit: limit + 1 });
      return answer(
        200,
        pageOfRows(rows, limit, ({ id }) => [id]),
      );
    },
  }),

  defineRoute({
    method: 'post',
    path: '/api/auth/revocations',
    operationId: 'revokeTokens',
    tag: 'Tokens',
    summary: 'End all tokens that were issued before a moment',
    description:
      'They are refused here at once and within 5 s by every process that reaches PostgreSQL; it holds over restarts. People log in again.',
    worksWhileQuarantined: true,
    body: revocationBody,
    answers: {
      201: {
        description: 'It is in force.',
        schema: z.strictObject({ revocation: revocationSchema, machineTokens: z.number().int() }),
      },
    },
    errors: [],
    audit: { action: 'token.revoke-all', subject: ({ body }) => body.user ?? 'everybody' },
    handle: async ({ body, actor }, { revocations, tokenRegister, authentication }) => {
      const { user = null, issuedBefore = null, machineTokens: machines = user === null } = body;
      if (issuedBefore !== null && Date.parse(issuedBefore) > Date.now())
        throw oneFault('/issuedBefore', 'is in the future');
      if (user !== null && !authentication.isUser(user)) throw oneFault('/user', 'is nobody in AUTH_USERS');
      const revoked = await revocations.revoke({ reason: body.reason, user, issuedBefore, machines, actor });
      await tokenRegister.lookNow();
      return answer(201, revoked);
    },
  }),
];

function refuseScopes(scopes: readonly string[], jobNames: { has(name: string): boolean }): void {
  const faults = scopes.flatMap((scope, index): FieldFault[] => {
    const message = scopeFault(scope, jobNames);
    return message === null ? [] : [{ pointer: `/scopes/${String(index)}`, message }];
  });
  if (faults.length > 0)
    throw new DermsError('VALIDATION_FAILED', 'A scope is not one of ours; nothing was issued.', { faults });
}

const oneFault = (pointer: string, message: string): DermsError =>
  new DermsError('VALIDATION_FAILED', 'The request has one fault; nothing was done.', {
    faults: [{ pointer, message }],
  });
