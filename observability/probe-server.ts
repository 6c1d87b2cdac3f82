import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';

export interface ProbeOptions {
  readonly port: number;
  readonly host: string;
  readonly registry: Registry;
  readonly metricsPath: string;
  readonly metricsEnabled: boolean;
  /** Ready to work: null, or what is missing. Liveness depends on nothing. */
  readonly notReady: () => string | null;
}

/** Metrics and probes of a process that has no HTTP face of its own: `/metrics`, `/live`, `/ready`. */
export async function startProbeServer(options: ProbeOptions): Promise<{ port: number; close: () => Promise<void> }> {
  const server = createServer((request, response) => {
    void answer(options, request, response);
  });
  server.requestTimeout = 5_000;
  server.headersTimeout = 5_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port, // listening on TCP: never a string or null
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

async function answer(options: ProbeOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = (request.url ?? '/').split('?')[0];
  if (path === '/live') {
    send(response, 200, 'live\n');
  } else if (path === '/ready') {
    const missing = options.notReady();
    send(response, missing === null ? 200 : 503, missing === null ? 'ready\n' : `${missing}\n`);
  } else if (path === options.metricsPath && options.metricsEnabled) {
    await sendMetrics(options.registry, response);
  } else {
    send(response, 404, 'not found\n');
  }
}

async function sendMetrics(registry: Registry, response: ServerResponse): Promise<void> {
  try {
    send(response, 200, await registry.metrics(), registry.contentType);
  } catch (error) {
    send(
      response,
      500,
      `the metrics could not be collected: ${error instanceof Error ? error.message : String(error)}\n`,
    );
  }
}

function send(response: ServerResponse, status: number, body: string, type = 'text/plain; charset=utf-8'): void {
  response.writeHead(status, { 'content-type': type });
  response.end(body);
}
