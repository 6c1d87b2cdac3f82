import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import type { Response } from 'express';
import type { Actor } from '../db/audit';
import type { AppPorts } from './ports';
import type { Answer } from './route';

/** Gathered so that a row is not a packet. */
const CHUNK = 64 * 1_024;

/**
 * Sends text as it comes, no faster than the caller takes it. What fails before the first piece is an ordinary problem;
 * after it the connection is cut, so that nobody takes half of it for the whole.
 */
export async function sendText(
  { status, body, headers = {} }: Answer,
  response: Response,
  { streams, log }: Pick<AppPorts, 'streams' | 'log'>,
  { user, requestId }: Actor,
): Promise<void> {
  const giveBack = streams.take(user);
  try {
    await send({ status, body, headers }, response);
  } catch (err) {
    if (!response.headersSent) throw err;
    response.destroy();
    log.warn({ err, requestId }, 'an answer broke off');
  } finally {
    giveBack();
  }
}

async function send({ status, body, headers = {} }: Answer, response: Response): Promise<void> {
  const pieces = gathered(body as AsyncIterable<string>)[Symbol.asyncIterator](); // by the route's declaration
  const first = await pieces.next();
  response.status(status).set({ 'Cache-Control': 'no-store', ...headers });
  if (response.req.method === 'HEAD') {
    await pieces.return(undefined);
    response.end();
    return;
  }
  await pipeline(Readable.from(withFirst(first, pieces)), response);
}

async function* gathered(pieces: AsyncIterable<string>): AsyncGenerator<string> {
  let chunk = '';
  for await (const piece of pieces) {
    chunk += piece;
    if (chunk.length < CHUNK) continue;
    yield chunk;
    chunk = '';
  }
  if (chunk !== '') yield chunk;
}

async function* withFirst(first: IteratorResult<string>, rest: AsyncIterator<string>): AsyncGenerator<string> {
  if (first.done === true) return;
  try {
    yield first.value;
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.(undefined); // when the caller hangs up
  }
}
