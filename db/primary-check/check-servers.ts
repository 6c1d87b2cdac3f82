import { createServer, type Server } from 'node:http';

export interface CheckAnswers {
  /** Nodes in the order of their ports. */
  readonly names: readonly string[];
  /** Who may be written to; null: nobody. */
  readonly primary: () => string | null;
  /** For people who look. */
  readonly state: () => object;
}

/** One port per node, in a row from `port` on: 200 while it is the primary, 503 otherwise. Any path, any method. */
export async function startCheckServers(
  { names, primary, state }: CheckAnswers,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<{ close(): Promise<void> }> {
  const servers = names.map((name) =>
    createServer((_request, response) => {
      const status = primary() === name ? 200 : 503;
      response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
      response.end(`${JSON.stringify(state())}\n`);
    }),
  );
  await Promise.all(servers.map((server, index) => listen(server, host, port + index)));
  return {
    async close() {
      await Promise.all(
        servers.map(
          (server) =>
            new Promise<void>((resolve) => {
              server.close(() => resolve());
              server.closeAllConnections();
            }),
        ),
      );
    },
  };
}

const listen = (server: Server, host: string, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
