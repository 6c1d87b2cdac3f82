import { createServer, connect, type AddressInfo, type Socket } from 'node:net';

/** A road to a server that can be cut: each connection through it ends at once, as when a process or a host dies. */
export interface TcpProxy {
  readonly host: string;
  readonly port: number;
  cut(): void;
  close(): Promise<void>;
}

export async function openTcpProxy(
  target: { host: string; port: number },
  at = { host: '127.0.0.1', port: 0 },
): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  };
  const server = createServer((near) => {
    const far = connect(target.port, target.host);
    keep(near);
    keep(far);
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(at.port, at.host, resolve));
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    host: at.host,
    port: (server.address() as AddressInfo).port, // listening on TCP
    cut,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        cut();
      }),
  };
}
