import { z } from 'zod';
import { ROLES } from '../../config/auth-users';
import { DermsError } from '../../domain/errors';
import type { Actor } from '../../db/audit';
import type { AppPorts } from '../ports';
import { answer, defineRoute, type Route } from '../route';
import { withinTime } from '../within-time';

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
    worksWithoutDatabase: true,
    body: credentials,
    answers: { 200: { description: 'An access token.', schema: session } },
    errors: ['UNAUTHENTICATED', 'TOO_MANY_REQUESTS'],
    audit: {
      action: 'auth.login',
      subject: ({ body: { user } }, { authentication }) => (authentication.isUser(user) ? user : 'unknown user'),
      inSums: true,
    },
    handle: async ({ body, actor }, ports) => {
      const { authentication, metrics, log } = ports;
      try {
        const { user, role, accessToken, expiresInSeconds } = await authentication.login(body, actor.address);
        metrics.logins.inc({ outcome: 'accepted' });
        await auditLogin(ports, { ...actor, user, role });
        const tokenType = 'Bearer' as const;
        return answer(200, { accessToken, tokenType, expiresInSeconds, user, role }, { 'Cache-Control': 'no-store' });
      } catch (error) {
        if (!(error instanceof DermsError)) throw error;
        metrics.logins.inc({ outcome: error.code === 'TOO_MANY_REQUESTS' ? 'delayed' : 'refused' });
        // What is no user's name may be somebody's password.
        const user = authentication.isUser(body.user) ? body.user : 'unknown user';
        log.warn({ user, address: actor.address, requestId: actor.requestId }, 'log-in refused');
        throw error;
      }
    },
  }),
];

/** A database that hangs must not keep people from logging in, ms: what they can do without it they may need then. */
const AUDIT_WITHIN_MS = 1_000;

async function auditLogin({ audit, metrics, log }: AppPorts, actor: Actor): Promise<void> {
  try {
    const entry = { action: 'auth.login', subject: actor.user, outcome: 'done' as const, detail: {} };
    await withinTime(audit.append(actor, entry), AUDIT_WITHIN_MS);
  } catch (err) {
    metrics.auditFailures.inc();
    log.error({ err, user: actor.user, requestId: actor.requestId }, 'a log-in could not be audited');
  }
}
