import { z } from 'zod';
import { ROLES } from '../../config/auth-users';
import { DermsError } from '../../domain/errors';
import { answer, defineRoute, type Route } from '../route';

const credentials = z
  .strictObject({ user: z.string().min(1).max(64), password: z.string().min(1).max(1_024) })
  .meta({ id: 'Credentials' });

const session = z
  .strictObject({
    accessToken: z.string().describe('Send it as `Authorization: Bearer …`.'),
    tokenType: z.literal('Bearer'),
    expiresInSeconds: z.number().int(),
    user: z.string(),
    role: z.enum(ROLES),
  })
  .meta({ id: 'Session' });

export const loginRoutes: readonly Route[] = [
  defineRoute({
    method: 'post',
    path: '/api/auth/login',
    operationId: 'login',
    tag: 'Login',
    summary: 'Log in with user and password',
    worksWhileQuarantined: true,
    body: credentials,
    answers: { 200: { description: 'An access token.', schema: session } },
    errors: ['UNAUTHENTICATED', 'TOO_MANY_REQUESTS'],
    handle: async ({ body, actor }, { authentication, metrics, log }) => {
      try {
        const { user, role, accessToken, expiresInSeconds } = await authentication.login(body, actor.address);
        metrics.logins.inc({ outcome: 'accepted' });
        const tokenType = 'Bearer' as const;
        return answer(200, { accessToken, tokenType, expiresInSeconds, user, role }, { 'Cache-Control': 'no-store' });
      } catch (error) {
        if (!(error instanceof DermsError)) throw error;
        metrics.logins.inc({ outcome: error.code === 'TOO_MANY_REQUESTS' ? 'delayed' : 'refused' });
        // What is no user's name may be somebody's password.
        const user = authentication.isUser(body.user) ? body.user : undefined;
        log.warn({ user, address: actor.address, requestId: actor.requestId }, 'log-in refused');
        throw error;
      }
    },
  }),
];
