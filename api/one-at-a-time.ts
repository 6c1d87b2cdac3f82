import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Works on the requests of one connection one after the other, and lets all others have their turn between two. Answers
 * have to leave in the order of their requests (RFC 9112, 9.3.2), so nobody waits longer for it; but a piece that is read
 * at once can hold hundreds of small requests, and Node would call the app for all of them before it looks elsewhere.
 */
export function oneAtATime(app: RequestListener): RequestListener {
  /** Of each connection that is being worked for: the requests that wait. */
  const waiting = new WeakMap<Socket, [IncomingMessage, ServerResponse][]>();

  const workOn = (request: IncomingMessage, response: ServerResponse): void => {
    response.once('close', () => {
      setImmediate(next, request.socket);
    });
    app(request, response);
  };
  const next = (socket: Socket): void => {
    const then = waiting.get(socket)?.shift();
    if (then === undefined || socket.destroyed) waiting.delete(socket);
    else workOn(...then);
  };

  return (request, response) => {
    const ahead = waiting.get(request.socket);
    if (ahead !== undefined) {
      ahead.push([request, response]);
      return;
    }
    waiting.set(request.socket, []);
    workOn(request, response);
  };
}
