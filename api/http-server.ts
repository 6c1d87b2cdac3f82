import { createServer as createHttpServer, type RequestListener, type Server, type ServerOptions } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { Logger } from '../observability/logger';
import { OLDEST_TLS } from '../tls/client-tls';
import { readKeyPair, type KeyPairPaths } from '../tls/key-pair';
import { watchKeyPair } from '../tls/watch-key-pair';
import { oneAtATime } from './one-at-a-time';

/** A connection that has not finished its handshake by then is closed, ms. */
const HANDSHAKE_MS = 5_000;

/** Against slow and large senders; without them Node's own hold. */
export type ServerBounds = Pick<
  ServerOptions,
  'headersTimeout' | 'requestTimeout' | 'keepAliveTimeout' | 'maxHeaderSize' | 'connectionsCheckingInterval'
>;

/** Requests of one connection; a client that sends more connects again, and so meets the replicas that came since. */
const MOST_REQUESTS = 10_000;

/**
 * The server the API listens with: HTTPS with the given pair, which is read anew when it changes and taken by the
 * connections that come after; or, with `null`, plain HTTP. There is no way from the one to the other.
 *
 * @throws {CertificateError} when the pair cannot be used.
 */
export function createApiServer(
  app: RequestListener,
  paths: KeyPairPaths | null,
  { log, everyMs, bounds }: { readonly log: Logger; readonly everyMs?: number; readonly bounds?: ServerBounds },
): Server {
  const inTurn = oneAtATime(app);
  const server =
    paths === null ? createHttpServer({ ...bounds }, inTurn) : createTlsServer(inTurn, paths, { log, everyMs, bounds });
  server.maxRequestsPerSocket = MOST_REQUESTS;
  server.on('checkExpectation', inTurn); // of `Expect` we know what Node does by itself, and need no more
  return server;
}

function createTlsServer(
  app: RequestListener,
  paths: KeyPairPaths,
  {
    log,
    everyMs,
    bounds,
  }: { readonly log: Logger; readonly everyMs: number | undefined; readonly bounds: ServerBounds | undefined },
): Server {
  const first = readKeyPair(paths);
  const tls = { minVersion: OLDEST_TLS } as const;
  const server = createHttpsServer(
    { ...bounds, ...tls, cert: first.cert, key: first.key, handshakeTimeout: HANDSHAKE_MS },
    app,
  );
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
