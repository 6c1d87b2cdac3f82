import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { Logger } from '../observability/logger';
import { OLDEST_TLS } from '../tls/client-tls';
import { readKeyPair, type KeyPairPaths } from '../tls/key-pair';
import { watchKeyPair } from '../tls/watch-key-pair';

/** A connection that has not finished its handshake by then is closed, ms. */
const HANDSHAKE_MS = 5_000;

/**
 * The server the API listens with: HTTPS with the given pair, which is read anew when it changes and taken by the
 * connections that come after; or, with `null`, plain HTTP. There is no way from the one to the other.
 *
 * @throws {CertificateError} when the pair cannot be used.
 */
export function createApiServer(
  app: RequestListener,
  paths: KeyPairPaths | null,
  { log, everyMs }: { readonly log: Logger; readonly everyMs?: number },
): Server {
  if (paths === null) return createHttpServer(app);
  const first = readKeyPair(paths);
  const tls = { minVersion: OLDEST_TLS } as const;
  const server = createHttpsServer({ ...tls, cert: first.cert, key: first.key, handshakeTimeout: HANDSHAKE_MS }, app);
  if (first.expiresAt.getTime() < Date.now())
    log.error({ certificate: paths.certPath, expiresAt: first.expiresAt }, 'the certificate of the API has run out');
  const watch = watchKeyPair(paths, first, {
    onRenewed: ({ cert, key, expiresAt }) => {
      server.setSecureContext({ ...tls, cert, key });
      log.info({ certificate: paths.certPath, expiresAt }, 'the certificate of the API was renewed');
    },
    onBroken: (err) => {
      log.error({ err }, 'the new certificate of the API cannot be used; the one before stays');
    },
    ...(everyMs === undefined ? {} : { everyMs }),
  });
  server.once('close', watch.stop);
  return server;
}
