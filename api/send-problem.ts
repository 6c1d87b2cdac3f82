import type { ErrorRequestHandler, Response } from 'express';
import type { DermsError } from '../domain/errors';
import type { Logger } from '../observability/logger';
import { failureOf, problemHeaders, problemOf } from './problem';
import { contextOf } from './request-log';

/** The one place where a failure becomes an answer. A bug is logged with its stack and told only by its id. */
export const problemHandler =
  (log: Logger): ErrorRequestHandler =>
  (thrown: unknown, _request, response, next) => {
    const { requestId, route } = contextOf(response);
    const { error, unexpected } = failureOf(thrown);
    if (unexpected) log.error({ err: thrown, requestId, route }, 'a request failed unexpectedly');
    else if (error.code === 'DATABASE_UNAVAILABLE' || error.code === 'TIMED_OUT') {
      log.warn({ err: error.cause, requestId, route, code: error.code }, 'a request could not be answered');
    }
    if (response.headersSent) next(thrown);
    else sendProblem(response, error);
  };

export function sendProblem(response: Response, error: DermsError): void {
  const problem = problemOf(error, contextOf(response).requestId);
  response.status(problem.status).set(problemHeaders(error));
  response.type('application/problem+json').send(JSON.stringify(problem));
}
