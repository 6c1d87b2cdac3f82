import type { Request } from 'express';
import type { Actor } from '../../db/audit';
import { clientAddress } from '../client-address';
import type { AppPorts } from '../ports';
import { failureOf } from '../problem';
import type { Route, RouteInput } from '../route';
import { withinTime } from '../within-time';

/** A database that hangs must not hold up the answer, ms. */
const AUDIT_WITHIN_MS = 1_000;
/** Not written: what says nothing about the caller, and what cannot be written because the database is the trouble. */
const NOT_AUDITED: readonly string[] = ['DATABASE_UNAVAILABLE', 'TIMED_OUT', 'INTERNAL', 'SHUTTING_DOWN'];
/** Anybody can make any number of these. */
const IN_SUMS: readonly string[] = ['UNAUTHENTICATED', 'TOO_MANY_REQUESTS'];

/** Leaves an entry of an attempt that was refused. Never rejects: the caller is answered all the same. */
export async function auditRefusal(
  route: Route,
  ports: AppPorts,
  attempt: {
    readonly actor: Actor;
    readonly request: Request;
    /** null: it was refused before it was understood. */
    readonly input: RouteInput | null;
    readonly thrown: unknown;
  },
): Promise<void> {
  const { audit, log, metrics, refusals } = ports;
  const { actor, request, input } = attempt;
  const { code, message, faults } = failureOf(attempt.thrown).error;
  if (route.audit === undefined || NOT_AUDITED.includes(code)) return;
  const { action, inSums = false } = route.audit;
  const named = input === null ? Object.values(request.params).join('/') : route.audit.subject(input, ports);
  const subject = named.slice(0, 128) || '-';
  if (inSums || IN_SUMS.includes(code)) {
    refusals.add({ actor, action, subject: inSums ? subject : '-', code });
    return;
  }
  const detail = { code, message, faults: faults.slice(0, 10) };
  try {
    await withinTime(audit.append(actor, { action, subject, outcome: 'refused', detail }), AUDIT_WITHIN_MS);
  } catch (err) {
    metrics.auditFailures.inc();
    log.error({ err, action, user: actor.user, requestId: actor.requestId }, 'a refused attempt could not be audited');
  }
}

/** Who sent no token that is good. */
export const stranger = (request: Request, requestId: string): Actor => ({
  ...{ user: 'anyone', role: 'anyone', requestId },
  address: clientAddress(request),
});
