import type { Request } from 'express';
import { ROLES, type Role } from '../../config/auth-users';
import type { Actor } from '../../db/audit';
import { DermsError } from '../../domain/errors';
import type { Route } from '../route';
import type { Authentication } from './authentication';

/**
 * Who calls, by the token they send. Open routes are anybody's.
 *
 * @throws {DermsError} UNAUTHENTICATED
 */
export function actorOf(route: Route, authentication: Authentication, request: Request, requestId: string): Actor {
  const from = { requestId, address: request.ip ?? 'unknown' };
  if (route.role === 'anyone') return { user: 'anyone', role: 'anyone', ...from };
  const token = /^Bearer ([\w.~+/=-]{1,4096})$/i.exec(request.get('Authorization') ?? '')?.[1];
  if (token === undefined) throw new DermsError('UNAUTHENTICATED', 'This needs an access token.');
  const caller = authentication.callerOf(token);
  if (caller === null) throw new DermsError('UNAUTHENTICATED', 'The access token is not valid, or not any more.');
  return { ...caller, ...from };
}

/** @throws {DermsError} FORBIDDEN */
export function checkRole({ role: needed }: Route, { role }: Actor): void {
  if (needed === 'anyone' || rank(role) >= rank(needed)) return;
  throw new DermsError('FORBIDDEN', `This needs the role ${needed}; yours is ${role}.`);
}

const rank = (role: string): number => ROLES.indexOf(role as Role); // an unknown role ranks below all: -1
