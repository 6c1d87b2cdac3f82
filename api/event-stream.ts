import { once } from 'node:events';
import type { Response } from 'express';
import type { Actor } from '../db/audit';
import type { AppPorts } from './ports';

/** One event of `text/event-stream`. Without an id it is not one to go on from after a break. */
export interface StreamEvent {
  readonly id?: number;
  readonly event: string;
  readonly data: unknown;
}

/** What a route with a stream answers: events until the story is told, or `signal` says that nobody listens any more. */
export type EventStream = (signal: AbortSignal) => AsyncIterable<StreamEvent>;

/** Proxies hang up on what is silent for half a minute or so. */
const HEARTBEAT_MS = 10_000;
/** A reader comes back by itself, with its last id and with a token that still has to be good, ms. */
const LONGEST_MS = 15 * 60_000;
const RETRY_MS = 1_000;

/** Sends events as they come, a comment when none does, and ends with the story, the reader or the process. */
export async function sendEvents(
  stream: EventStream,
  response: Response,
  { streams, stopping, log, mayListen }: Pick<AppPorts, 'streams' | 'stopping' | 'log'> & { mayListen: () => boolean },
  { user, requestId }: Actor,
): Promise<void> {
  const giveBack = streams.take(user);
  response.status(200).set({
    'Content-Type': 'text/event-stream',
    'Cache-Control': 'no-store',
    'X-Accel-Buffering': 'no',
  });
  if (response.req.method === 'HEAD') {
    giveBack();
    response.end();
    return;
  }
  const end = new AbortController();
  const stop = (): void => {
    end.abort();
  };
  response.once('close', stop);
  response.write(`retry: ${String(RETRY_MS)}\n\n`);
  const heartbeat = setInterval(() => {
    if (!mayListen()) stop();
    else if (!response.writableNeedDrain) response.write(': still here\n\n'); // who does not read need not hear more
  }, HEARTBEAT_MS);
  const longest = setTimeout(stop, LONGEST_MS);
  const stops = setInterval(() => {
    if (stopping()) stop();
  }, 200);
  try {
    for await (const event of stream(end.signal)) {
      if (end.signal.aborted) break;
      if (!response.write(textOf(event))) await once(response, 'drain', { signal: end.signal });
    }
  } catch (err) {
    // The answer has begun: the reader sees it end, and comes back with its last id.
    if (!end.signal.aborted) log.warn({ err, requestId }, 'an event stream broke off');
  } finally {
    clearInterval(heartbeat);
    clearInterval(stops);
    clearTimeout(longest);
    giveBack();
    response.end();
  }
}

const textOf = ({ id, event, data }: StreamEvent): string =>
  `${id === undefined ? '' : `id: ${String(id)}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
