import { randomUUID } from 'node:crypto';
import type { Request, RequestHandler, Response } from 'express';
import { clientAddress } from './client-address';
import { FIRST_ERROR } from './metrics';
import type { AppPorts } from './ports';

/** What we keep with a response while it is made. */
export interface RequestContext {
  readonly requestId: string;
  /** Of the client, see `TRUST_PROXY`. */
  readonly address: string;
  /** The route's pattern, so that metrics have one series per route and not one per id. */
  route: string;
  user: string | null;
}

const contexts = new WeakMap<Response, RequestContext>();
const REQUEST_ID = /^[A-Za-z0-9._:-]{1,128}$/;

/** @throws {Error} outside of a request that `requestLog` has seen. */
export function contextOf(response: Response): RequestContext {
  const context = contexts.get(response);
  if (context === undefined) throw new Error('a request without context: requestLog must come first');
  return context;
}

/** One line and one observation per request, without bodies, queries or tokens; `X-Request-Id` in and out. */
export function requestLog({ log, metrics, settings }: Pick<AppPorts, 'log' | 'metrics' | 'settings'>): RequestHandler {
  return (request, response, next) => {
    const context: RequestContext = {
      requestId: requestIdOf(request),
      address: clientAddress(request), // while the socket is there
      route: 'unmatched',
      user: null,
    };
    contexts.set(response, context);
    response.setHeader('X-Request-Id', context.requestId);
    const startedAt = performance.now();
    response.once('close', () => {
      const ms = performance.now() - startedAt;
      const { requestId, route, user, address } = context;
      const { method } = request;
      const status = response.writableEnded ? response.statusCode : 499; // the caller hung up first
      metrics.requestSeconds.observe({ method: knownMethod(method), route, status: String(status) }, ms / 1000);
      if (status >= FIRST_ERROR) metrics.errors.inc({ status: String(status) });
      const line = { requestId, method, route, status, ms: Math.round(ms * 10) / 10, user: user ?? undefined, address };
      if (isProbe(route, settings.metricsPath) || status === TURNED_AWAY) log.debug(line, 'request');
      else log.info(line, 'request');
    });
    next();
  };
}

/** The caller's own id when it is harmless to write into a log, else a new one. */
function requestIdOf(request: Request): string {
  const given = request.get('X-Request-Id');
  return given !== undefined && REQUEST_ID.test(given) ? given : randomUUID();
}

/** A flood must not become one of log lines; it is counted, and told once. */
const TURNED_AWAY = 429;

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
const knownMethod = (method: string): string => (METHODS.includes(method) ? method : 'other');

const isProbe = (route: string, metricsPath: string): boolean =>
  route === '/api/health' || route === '/api/ready' || route === metricsPath;
