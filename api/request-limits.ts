import type { Response } from 'express';
import { addressRange } from './client-address';
import type { Caller } from './auth/caller';
import type { AppPorts } from './ports';
import { contextOf } from './request-log';
import type { Route } from './route';

type LimitPorts = Pick<AppPorts, 'rateLimiter' | 'readPlaces'>;

/** Reading is what a viewer may, and what an administrator looks up. */
const isRead = ({ method, role }: Route): boolean => method === 'get' || role === 'viewer';

/**
 * Counts the request of somebody who is known. Open routes are not counted: probes must always be answered, and log-ins
 * have bounds of their own.
 *
 * @throws {DermsError} TOO_MANY_REQUESTS
 */
export async function countRequest(
  route: Route,
  { rateLimiter }: LimitPorts,
  caller: Caller | null,
  response: Response,
): Promise<void> {
  if (caller === null || route.neverLimited === true) return;
  response.set(await rateLimiter.count(isRead(route) ? 'reads' : 'changes', caller.user));
}

/**
 * Counts what an address sends without a good token, and what comes to no route.
 *
 * @throws {DermsError} TOO_MANY_REQUESTS
 */
export async function countStranger({ rateLimiter }: LimitPorts, response: Response): Promise<void> {
  response.set(await rateLimiter.count('strangers', addressRange(contextOf(response).address)));
}

/**
 * Waits for a place, where the request only reads; it is given back when the caller has taken the answer, or has gone.
 *
 * @returns what gives it back before.
 * @throws {DermsError} TOO_MANY_REQUESTS
 */
export async function placeToRead(
  route: Route,
  { readPlaces }: LimitPorts,
  caller: Caller | null,
  response: Response,
): Promise<() => void> {
  if (caller === null || !isRead(route)) return () => undefined;
  const leave = await readPlaces.enter(caller.user);
  if (response.closed) leave();
  else response.once('close', leave);
  return leave;
}
