import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

export const LOOPBACK = '127.0.0.1';

// Below the ranges from which Linux (32768) and macOS (49152) give ports to outgoing connections, so that a port that
// is free now is not taken by a client's connection before our server binds it.
const FIRST = 20_000;
const LAST = 32_000;
const handedOut = new Set<number>();

export interface ChosenPort {
  readonly port: number;
  /** True when the preferred port was in use and another one was chosen. */
  readonly preferredTaken: boolean;
}

/** The preferred port when nobody listens there, else a free one. A port is given once per process, never to two. */
export async function choosePort(preferred?: number): Promise<ChosenPort> {
  if (preferred !== undefined && !handedOut.has(preferred) && (await isFree(preferred))) {
    handedOut.add(preferred);
    return { port: preferred, preferredTaken: false };
  }
  for (let tries = 0; tries < 1_000; tries += 1) {
    const port = randomInt(FIRST, LAST);
    if (handedOut.has(port) || !(await isFree(port))) continue;
    handedOut.add(port);
    return { port, preferredTaken: preferred !== undefined };
  }
  throw new Error(`no free TCP port between ${String(FIRST)} and ${String(LAST)}`);
}

/** A free port of 127.0.0.1. */
export async function freePort(): Promise<number> {
  return (await choosePort()).port;
}

/** The first of `count` free ports that follow each other, at `preferred` when all of them are free there. */
export async function choosePortRange(count: number, preferred: number): Promise<ChosenPort> {
  for (let first = preferred; first + count <= 65_535; first += count) {
    const ports = Array.from({ length: count }, (_, index) => first + index);
    const free = await Promise.all(ports.map(async (port) => !handedOut.has(port) && (await isFree(port))));
    if (!free.every(Boolean)) continue;
    for (const port of ports) handedOut.add(port);
    return { port: first, preferredTaken: first !== preferred };
  }
  throw new Error(`no ${String(count)} free TCP ports in a row from ${String(preferred)} on`);
}

/**
 * Throws when somebody listens on the port. A server that cannot bind ends only a moment later: until then whoever asks
 * whether it is ready gets the answer of the one that holds the port.
 */
export async function requireFree(port: number): Promise<void> {
  if (!(await isFree(port))) throw new Error(`port ${port} is in use`);
}

/** Whether a server could listen there, on loopback and on all addresses: a broker in a container binds the latter. */
async function isFree(port: number): Promise<boolean> {
  return (await canListen(port, LOOPBACK)) && (await canListen(port, '0.0.0.0'));
}

function canListen(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => {
      resolve(false);
    });
    server.listen({ port, host, exclusive: true }, () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}
