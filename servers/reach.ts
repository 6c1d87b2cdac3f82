import { createConnection } from 'node:net';
import { LOOPBACK } from './free-port';

const WITHIN_MS = 2_000;

/** Rejects unless something accepts a connection at this port of 127.0.0.1 in time. */
export function reach(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: LOOPBACK, port, timeout: WITHIN_MS });
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
    socket.once('error', reject);
    socket.once('timeout', () => {
      socket.destroy();
      reject(new Error('no answer'));
    });
  });
}
