import type { Request } from 'express';
import { ROLES } from '../../config/auth-users';
import type { Actor } from '../../db/audit';
import { DermsError } from '../../domain/errors';
import type { Access } from '../access';
import { clientAddress } from '../client-address';
import type { Authentication } from './authentication';
import type { Caller } from './caller';
import { covers } from './scopes';

/**
 * Who calls, by the token they send; null on open routes, which are anybody's.
 *
 * @throws {DermsError} UNAUTHENTICATED; DATABASE_UNAVAILABLE for a machine that cannot be checked.
 */
export function callerOf({ role }: Access, authentication: Authentication, request: Request): Caller | null {
  if (role === 'anyone') return null;
  const token = /^Bearer ([\w.~+/=-]{1,4096})$/i.exec(request.get('Authorization') ?? '')?.[1];
  if (token === undefined) throw new DermsError('UNAUTHENTICATED', 'This needs an access token.');
  const caller = authentication.callerOf(token, clientAddress(request));
  if (caller === null) throw new DermsError('UNAUTHENTICATED', 'The access token is not valid, or not any more.');
  return caller;
}

/** As it is written into rows. */
export function actorOf(caller: Caller | null, request: Request, requestId: string): Actor {
  const from = { requestId, address: clientAddress(request) };
  if (caller === null) return { user: 'anyone', role: 'anyone', ...from };
  return { user: caller.user, role: caller.kind === 'person' ? caller.role : 'machine', ...from };
}

/** @throws {DermsError} FORBIDDEN */
export function checkAccess({ role, scope }: Access, caller: Caller | null, params: Request['params']): void {
  if (role === 'anyone') return;
  if (caller === null) throw new DermsError('FORBIDDEN', 'This is not for everybody.');
  if (caller.kind === 'person') {
    if (ROLES.indexOf(caller.role) >= ROLES.indexOf(role)) return;
    throw new DermsError('FORBIDDEN', `This needs the role ${role}; yours is ${caller.role}.`);
  }
  if (scope === null) throw new DermsError('FORBIDDEN', 'This is for people: no machine token opens it.');
  if (!covers(caller.scopes, scope, params))
    throw new DermsError('FORBIDDEN', `This needs the scope ${scope}; the token has ${caller.scopes.join(', ')}.`);
}
