import type { Server } from 'node:http';

/** Requests that run get this long to finish, ms. */
const FINISH_MS = 5_000;

/** Takes no new connections, lets running requests finish, then hangs up on whoever is left. */
export async function closeGracefully(server: Server, finishMs = FINISH_MS): Promise<void> {
  const hangUp = setTimeout(() => {
    server.closeAllConnections();
  }, finishMs);
  await new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
    server.closeIdleConnections();
  });
  clearTimeout(hangUp);
}
