import { isUtf8 } from 'node:buffer';
import express, { type Request, type RequestHandler, type Response } from 'express';
import { DermsError } from '../domain/errors';

const DEFAULT_LIMIT_BYTES = 256 * 1024;
const TYPES = ['application/json', 'application/merge-patch+json'];

/** Objects and lists inside each other. Nothing of ours is half as deep; what is deeper ends the stack of whoever walks it. */
const MOST_DEPTH = 64;

const parsers = new Map<number, RequestHandler>();

/**
 * Reads the body into `request.body`, as JSON and as nothing else.
 *
 * @throws {DermsError} UNSUPPORTED_MEDIA_TYPE, VALIDATION_FAILED for what is nested too deep; what the parser throws becomes PAYLOAD_TOO_LARGE or MALFORMED_JSON later.
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
  const parser = parsers.get(limitBytes) ?? express.json({ limit: limitBytes, type: TYPES, verify: refuseUnreadable });
  parsers.set(limitBytes, parser);
  return parser;
}

/** Before it is parsed. JSON is UTF-8 (RFC 8259): another character set would be read as something else than was meant. */
function refuseUnreadable(_request: unknown, _response: unknown, body: Buffer, charset: string): void {
  if (charset !== 'utf-8') throw new DermsError('UNSUPPORTED_MEDIA_TYPE', 'The body must be UTF-8.');
  if (!isUtf8(body)) throw new DermsError('MALFORMED_JSON', 'The body is not UTF-8.');
  refuseDepth(body);
}

/** What is no JSON is counted somehow, and refused by the parser. */
function refuseDepth(body: Buffer): void {
  let depth = 0;
  let isInString = false;
  for (let at = 0; at < body.length; at += 1) {
    const byte = body[at];
    if (isInString) {
      if (byte === BACKSLASH) at += 1;
      else if (byte === QUOTE) isInString = false;
    } else if (byte === QUOTE) isInString = true;
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth += 1;
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth -= 1;
    if (depth > MOST_DEPTH)
      throw new DermsError('VALIDATION_FAILED', `The body is nested deeper than ${String(MOST_DEPTH)} levels.`);
  }
}

const [QUOTE, BACKSLASH, OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = Buffer.from('"\\{}[]');
