import { Router, type Request, type Response } from 'express';
import { DermsError } from '../domain/errors';
import { auditRefusal, stranger } from './audit/refused';
import { actorOf, callerOf, checkAccess } from './auth/authorisation';
import type { Caller } from './auth/caller';
import type { AppPorts } from './ports';
import { methodNotAllowed } from './method-not-allowed';
import { readInput } from './request-input';
import { contextOf } from './request-log';
import { readJsonBody } from './request-body';
import { sendEvents, type EventStream } from './event-stream';
import { contentTypesOf } from './openapi';
import { countRequest, countStranger, placeToRead } from './request-limits';
import { sendJson } from './send-json';
import { sendText } from './send-text';
import { refusedWhileQuarantined, type Answer, type Route, type RouteInput } from './route';
import { withinTime } from './within-time';

/** Every route as it was declared, and 405 for every other method on its path. */
export function mountRoutes(routes: readonly Route[], ports: AppPorts): Router {
  const router = Router({ caseSensitive: true, strict: true });
  for (const path of new Set(routes.map((route) => route.path))) {
    const here = routes.filter((route) => route.path === path);
    const at = router.route(path.replaceAll(/\{(\w+)\}/g, ':$1'));
    at.all((_request, response, next) => {
      contextOf(response).route = path;
      next();
    });
    for (const route of here) at[route.method]((request, response) => serve(route, ports, request, response));
    at.all(async (_request, response) => {
      await countStranger(ports, response);
      throw methodNotAllowed(here.map(({ method }) => method.toUpperCase()));
    });
  }
  return router;
}

/** Who is it, may they, what do they say, then the handler; a refused attempt leaves a row. */
async function serve(route: Route, ports: AppPorts, request: Request, response: Response): Promise<void> {
  const context = contextOf(response);
  const caller = await callerOrRefusal(route, ports, request, response);
  const actor = actorOf(caller, request, context.requestId);
  context.user = caller?.user ?? null;
  let input: RouteInput | null = null;
  try {
    await countRequest(route, ports, caller, response);
    checkAccess(route, caller, request.params);
    refuseOtherKinds(route, request);
    if (route.body !== undefined) await readJsonBody(request, response, route.bodyLimitBytes);
    input = { ...readInput(route, request), actor };
    refuseToBeLookedAtOnly(route, ports);
    await refuseWithoutTemporal(route, input, ports);
    refuseWithoutDatabase(route, ports);
    await refuseWhileQuarantined(route, ports);
    const leave = await placeToRead(route, ports, caller, response);
    const withinMs = ports.settings.requestTimeoutMs + (route.waitsMs?.(input) ?? 0);
    const answer = await withinTime(route.handle(input, ports), withinMs);
    if (route.answers[answer.status]?.stream === true) {
      leave(); // streams have places of their own
      const mayListen = (): boolean => isStillCaller(route, ports, request);
      await sendEvents(answer.body as EventStream, response, { ...ports, mayListen }, actor); // by its declaration
      return;
    }
    if (route.answers[answer.status]?.text !== undefined) {
      leave();
      await sendText(answer, response, ports, actor);
      return;
    }
    if (ports.settings.checkAnswers) checkAnswer(route, answer);
    sendJson(route, answer, response);
  } catch (thrown) {
    await auditRefusal(route, ports, { actor, request, input, thrown });
    throw thrown;
  }
}

/** A stream outlives its request: it ends with its token. */
function isStillCaller(route: Route, { authentication }: AppPorts, request: Request): boolean {
  try {
    callerOf(route, authentication, request);
    return true;
  } catch {
    return false;
  }
}

async function callerOrRefusal(
  route: Route,
  ports: AppPorts,
  request: Request,
  response: Response,
): Promise<Caller | null> {
  try {
    return callerOf(route, ports.authentication, request);
  } catch (thrown) {
    await countStranger(ports, response);
    const actor = stranger(request, contextOf(response).requestId);
    await auditRefusal(route, ports, { actor, request, input: null, thrown });
    throw thrown;
  }
}

/** Before anything is done of what nobody would take the answer of. */
function refuseOtherKinds(route: Route, request: Request): void {
  const types = contentTypesOf(route);
  if (request.accepts([...types]) === false)
    throw new DermsError('NOT_ACCEPTABLE', `This route answers ${types.join(' or ')}.`);
}

/** In a process that was started to look at a copy, not even what lifts a quarantine. */
function refuseToBeLookedAtOnly(route: Route, { settings }: AppPorts): void {
  if (settings.quarantined && route.method !== 'get' && route.role !== 'anyone')
    throw new DermsError('QUARANTINED', 'This process was started to be looked at only.');
}

/** What was restored from a backup takes no orders before somebody has said that it may. */
async function refuseWhileQuarantined(route: Route, { quarantine }: AppPorts): Promise<void> {
  const inForce = refusedWhileQuarantined(route) ? await quarantine.inForce() : null;
  if (inForce !== null) throw new DermsError('QUARANTINED', `Quarantined since ${inForce.since}: ${inForce.reason}.`);
}

/** What nobody could carry out is refused before anything of it is written. */
async function refuseWithoutTemporal(
  { needsTemporal = false }: Route,
  input: RouteInput,
  { workflows }: AppPorts,
): Promise<void> {
  const needed = typeof needsTemporal === 'function' ? needsTemporal(input) : needsTemporal;
  const reason = needed ? await workflows.unavailable() : null;
  if (reason !== null) throw new DermsError('TEMPORAL_UNAVAILABLE', `Temporal does not answer: ${reason}.`);
}

/** Nobody waits for timeouts whose end is known. */
function refuseWithoutDatabase({ worksWithoutDatabase }: Route, { health }: AppPorts): void {
  const { up, reason } = health.dependency('database');
  if (!up && worksWithoutDatabase !== true)
    throw new DermsError('DATABASE_UNAVAILABLE', `PostgreSQL does not answer: ${reason ?? 'no reason'}.`);
}

function checkAnswer(route: Route, answer: Answer): void {
  const declared = route.answers[answer.status];
  if (declared === undefined) throw new Error(`${route.operationId} does not declare status ${String(answer.status)}`);
  const result = declared.schema.safeParse(answer.body);
  if (!result.success)
    throw new Error(`${route.operationId} answers what it does not declare`, { cause: result.error });
}
