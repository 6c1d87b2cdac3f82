import {
  connect,
  constants,
  createSecureServer,
  type ClientHttp2Session,
  type Http2SecureServer,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Issued } from '../../support/certificate-authority';

/** A request that got through, and who asked. */
export interface Passed {
  /** `/temporal.api.workflowservice.v1.WorkflowService/GetSystemInfo` */
  readonly path: string;
  /** Common name of the client's certificate. */
  readonly client: string | null;
  readonly authorization: string | null;
}

export interface TemporalGateway {
  /** `127.0.0.1:port`, to be asked for as `temporal.test` too. */
  readonly address: string;
  readonly passed: readonly Passed[];
  /** What it asks for from now on; null: nothing. */
  apiKey: string | null;
  /** Ends requests that wait, as an ingress does with long ones. */
  endWaiting(): void;
  close(): void;
}

/**
 * TLS in front of a real Temporal server, as an ingress or Temporal Cloud ends it: the development server that tests have speaks
 * plain gRPC only. Asks for a client certificate of `ca`, and for an API key.
 */
export async function startTemporalGateway(
  temporal: string,
  { server, ca }: { readonly server: Issued; readonly ca: string },
): Promise<TemporalGateway> {
  const passed: Passed[] = [];
  const sessions = new Set<ServerHttp2Session>();
  const waiting = new Set<ServerHttp2Stream>();
  const front: Http2SecureServer = createSecureServer({
    ...server,
    ca,
    ...{ requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.2' as const },
  });
  const gateway = { apiKey: null as string | null };
  front.on('session', (session) => {
    const backend = connect(`http://${temporal}`);
    sessions.add(session);
    backend.on('error', () => {
      session.destroy();
    });
    session.on('error', () => undefined); // a client that hangs up
    session.on('close', () => {
      backend.destroy();
      sessions.delete(session);
    });
    session.on('stream', (stream, headers) => {
      const path = String(headers[':path']);
      const authorization = headers.authorization ?? null;
      if (gateway.apiKey !== null && authorization !== `Bearer ${gateway.apiKey}`) {
        refuse(stream);
        return;
      }
      const subject = (session.socket as TLSSocket).getPeerCertificate().subject as { CN?: string } | undefined;
      waiting.add(stream);
      stream.on('close', () => {
        waiting.delete(stream);
      });
      passed.push({ path, client: subject?.CN ?? null, authorization });
      forward(stream, headers, backend);
    });
  });
  front.on('sessionError', () => undefined);
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${String((front.address() as AddressInfo).port)}`,
    passed,
    get apiKey() {
      return gateway.apiKey;
    },
    set apiKey(key) {
      gateway.apiKey = key;
    },
    endWaiting: () => {
      for (const stream of waiting) stream.close(constants.NGHTTP2_CANCEL);
    },
    close: () => {
      for (const session of sessions) session.destroy();
      front.close();
    },
  };
}

const UNAUTHENTICATED = '16';

function refuse(stream: ServerHttp2Stream): void {
  stream.respond(
    {
      ':status': 200,
      'content-type': 'application/grpc',
      'grpc-status': UNAUTHENTICATED,
      'grpc-message': 'no such key',
    },
    { endStream: true },
  );
}

function forward(
  stream: ServerHttp2Stream,
  headers: NodeJS.Dict<string | string[]>,
  backend: ClientHttp2Session,
): void {
  const ofThisHop = [':authority', ':scheme'];
  const kept = Object.entries(headers).filter(([name]) => !ofThisHop.includes(name));
  const behind = backend.request(Object.fromEntries(kept));
  const give = (): void => {
    behind.destroy();
  };
  stream.on('error', give);
  stream.on('close', give);
  behind.on('error', () => {
    stream.destroy();
  });
  behind.on('response', (answer, flags) => {
    const isOver = (flags & 1) === 1; // END_STREAM: the answer is its headers alone
    if (stream.destroyed) return;
    stream.respond(answer, isOver ? { endStream: true } : { waitForTrailers: true });
    if (isOver) return;
    let trailers: NodeJS.Dict<string | string[]> = {};
    behind.on('trailers', (last) => {
      trailers = last;
    });
    stream.on('wantTrailers', () => {
      stream.sendTrailers(trailers);
    });
    behind.pipe(stream);
  });
  stream.pipe(behind);
}
