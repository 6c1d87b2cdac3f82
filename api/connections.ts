import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Server as TlsServer } from 'node:tls';
import type { Socket } from 'node:net';
import { Counter, Gauge, type Registry } from '../observability/metrics';
import { answerBrokenRequest } from './broken-requests';

export interface ConnectionLimits {
  /** Open at a time. */
  readonly most: number;
  /** A caller that takes nothing of an answer for this long is hung up on, ms: what it does not take is in our memory. */
  readonly slowReaderMs: number;
  /** The same for a connection on which nothing is to be taken and nothing comes, ms. */
  readonly silenceMs: number;
}

interface Held {
  readonly answers: Set<ServerResponse>;
  /** Something of an answer waits for its caller. */
  isWaiting: boolean;
}

/** Connections in TLS's first steps, which are not counted, may be as many again. */
const WITH_HANDSHAKES = 2;
const LOOKS_PER_TIMEOUT = 6;
/** Requests that one connection may send before it has its answers; browsers send one. What comes after is read later. */
const MOST_AHEAD = 8;

/**
 * Bounds the connections of a server. Whoever comes when all are taken takes the place of the connection that has been
 * idle for longest, or whose request is still not whole: hoarding connections keeps nobody out. Nobody is hung up on
 * whose answer is being made.
 */
export function boundConnections(
  server: Server,
  { most, slowReaderMs, silenceMs }: ConnectionLimits,
  { registry }: { readonly registry: Registry },
): void {
  /** Who was served last stands last. */
  const held = new Map<Socket, Held>();
  const ended = metricsOf(registry, () => held.size);
  server.maxConnections = most * WITH_HANDSHAKES;

  server.on(server instanceof TlsServer ? 'secureConnection' : 'connection', (socket: Socket) => {
    if (held.size >= most) {
      const hasRoom = makeRoom(held);
      ended.inc({ what: hasRoom ? 'idle' : 'newcomer' });
      if (!hasRoom) {
        socket.destroy();
        return;
      }
    }
    held.set(socket, { answers: new Set(), isWaiting: false });
    socket.once('close', () => held.delete(socket));
  });

  server.prependListener('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    const here = held.get(socket);
    if (here === undefined) return;
    here.answers.add(response);
    if (here.answers.size >= MOST_AHEAD) socket.pause();
    response.once('close', () => {
      here.answers.delete(response);
      if (!held.delete(socket)) return;
      held.set(socket, here);
      if (here.answers.size < MOST_AHEAD && socket.isPaused()) socket.resume();
    });
  });

  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    const begun = [...(held.get(socket)?.answers ?? [])].some(({ headersSent }) => headersSent);
    answerBrokenRequest(error, socket, begun);
  });

  // Node's own timeout sees how much of a single large piece has been taken, which nobody else can.
  const watch = setInterval(() => {
    for (const [socket, here] of held) {
      const isWaiting = socket.writableLength > 0;
      if (isWaiting !== here.isWaiting) socket.setTimeout(isWaiting ? slowReaderMs : silenceMs);
      here.isWaiting = isWaiting;
    }
  }, slowReaderMs / LOOKS_PER_TIMEOUT);
  server.setTimeout(silenceMs, (socket) => {
    if (held.get(socket)?.isWaiting === true) ended.inc({ what: 'slow-reader' });
    socket.destroy();
  });
  watch.unref();
  server.once('close', () => {
    clearInterval(watch);
  });
}

/** Hangs up on who has waited for longest without a whole request. */
function makeRoom(held: Map<Socket, Held>): boolean {
  for (const [socket, { answers }] of held) {
    if ([...answers].some(({ req }) => req.complete)) continue;
    held.delete(socket); // its end is told later
    socket.destroy();
    return true;
  }
  return false;
}

function metricsOf(registry: Registry, open: () => number): Counter<'what'> {
  const registers = [registry];
  new Gauge({
    name: 'derms_http_connections',
    help: 'Open connections to the API.',
    registers,
    collect() {
      this.set(open());
    },
  });
  const ended = new Counter({
    name: 'derms_http_connections_ended_total',
    help: 'Connections that the API ended by itself: an idle one for a newcomer, a newcomer when all were in use, a reader that took nothing.',
    labelNames: ['what'],
    registers,
  });
  for (const what of ['idle', 'newcomer', 'slow-reader']) ended.inc({ what }, 0);
  return ended;
}
