import express, { type Request, type RequestHandler, type Response } from 'express';
import { DermsError } from '../domain/errors';

const DEFAULT_LIMIT_BYTES = 256 * 1024;
const TYPES = ['application/json', 'application/merge-patch+json'];

const parsers = new Map<number, RequestHandler>();

/**
 * Reads the body into `request.body`, as JSON and as nothing else.
 *
 * @throws {DermsError} UNSUPPORTED_MEDIA_TYPE; what the parser throws becomes PAYLOAD_TOO_LARGE or MALFORMED_JSON later.
 */
export async function readJsonBody(
  request: Request,
  response: Response,
  limitBytes = DEFAULT_LIMIT_BYTES,
): Promise<void> {
  if (request.is(TYPES) === false) {
    throw new DermsError('UNSUPPORTED_MEDIA_TYPE', 'The body must be application/json.');
  }
  await new Promise<void>((resolve, reject) => {
    void parserFor(limitBytes)(request, response, (error?: unknown) => {
      if (error === undefined) resolve();
      else reject(error instanceof Error ? error : new Error('the body could not be read', { cause: error }));
    });
  });
}

function parserFor(limitBytes: number): RequestHandler {
  const parser = parsers.get(limitBytes) ?? express.json({ limit: limitBytes, type: TYPES });
  parsers.set(limitBytes, parser);
  return parser;
}
