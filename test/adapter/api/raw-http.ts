import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A connection on which a test writes what it likes. */
export interface RawConnection {
  readonly socket: Socket;
  /** All that came so far. */
  text(): string;
  /** Resolves when the other side has ended or reset it. */
  readonly closed: Promise<void>;
}

export async function rawConnection(url: string, localAddress?: string): Promise<RawConnection> {
  const { hostname, port } = new URL(url);
  const socket = connect({
    host: hostname,
    port: Number(port),
    ...(localAddress === undefined ? {} : { localAddress }),
  });
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  socket.on('error', () => undefined); // a reset is one way to be hung up on
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      resolve();
    });
  });
  await once(socket, 'connect');
  return { socket, text: () => text, closed };
}

export const rawConnections = (url: string, count: number): Promise<RawConnection[]> =>
  Promise.all(Array.from({ length: count }, () => rawConnection(url)));

/** The statuses of the answers that came, in their order. */
export const statusesOf = (connection: RawConnection): number[] =>
  [...connection.text().matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
