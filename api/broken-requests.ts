import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { DermsError, type ErrorCode } from '../domain/errors';
import { problemHeaders, problemOf } from './problem';

/**
 * What is no request never gets to Express: it is answered here, in the words of all others, and the connection is
 * closed. When another answer has begun on it, it is only closed, or the two would run into one.
 */
export function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Socket, answerBegun: boolean): void {
  if (socket.writable && !answerBegun && error.code !== 'ECONNRESET') socket.write(problemText(failureOf(error)));
  socket.destroySoon();
}

function failureOf({ code }: NodeJS.ErrnoException): DermsError {
  const [name, message] = FAILURES[code ?? ''] ?? (['MALFORMED_REQUEST', 'This is no request of HTTP/1.1.'] as const);
  return new DermsError(name, message);
}

const FAILURES: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  HPE_HEADER_OVERFLOW: ['HEADERS_TOO_LARGE', 'First line and headers are too large.'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ['PAYLOAD_TOO_LARGE', 'The extensions of a chunk are too large.'],
  ERR_HTTP_REQUEST_TIMEOUT: ['REQUEST_TOO_SLOW', 'The request was not whole in time.'],
};

function problemText(error: DermsError): string {
  const requestId = randomUUID();
  const problem = problemOf(error, requestId);
  const body = JSON.stringify(problem);
  const headers = {
    ...problemHeaders(error),
    'Content-Type': 'application/problem+json; charset=utf-8',
    'Content-Length': String(Buffer.byteLength(body)),
    'X-Request-Id': requestId,
    Connection: 'close',
  };
  return [
    `HTTP/1.1 ${String(problem.status)} ${STATUS_CODES[problem.status] ?? ''}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    '',
    body,
  ].join('\r\n');
}
