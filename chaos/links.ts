import { createConnection } from 'node:net';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startChild, type ChildProcess, type StartOptions } from '../servers/child-process';
import { freePort, LOOPBACK } from '../servers/free-port';
import { reach } from '../servers/reach';
import { untilReady } from '../servers/ready';
import { toolEnvironment } from '../servers/tool';
import { readToolchain } from '../local/toolchain';

/** The network between somebody and a server: a TCP proxy that can be cut and stalled. */
export interface Link {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly process: ChildProcess;
  /** Connections are reset, and new ones closed as soon as they are made. */
  cut(): Promise<void>;
  mendCut(): Promise<void>;
  /** Bytes go nowhere and nobody is told; what was on its way arrives when it is mended. */
  stall(): void;
  mendStall(): void;
}

const READY_WITHIN_MS = 15_000;
const COMMAND_WITHIN_MS = 5_000;

/** HAProxy with one listener before one server; a process of its own, so that one link can be stopped alone. */
export async function startLink(options: {
  readonly name: string;
  /** Of the server. */
  readonly port: number;
  readonly folder: string;
  readonly onSpawn: NonNullable<StartOptions['onSpawn']>;
}): Promise<Link> {
  const { name, folder, onSpawn } = options;
  const tool = readToolchain().haproxy;
  if (tool === undefined) throw new Error('NOT RUN: HAProxy is not installed; node local/setup/setup.mjs --proofs');
  const port = await freePort();
  const socket = join(folder, `link-${String(port)}.sock`);
  const config = join(folder, `link-${String(port)}.cfg`);
  writeFileSync(config, configuration(socket, port, options.port));
  const child = await startChild({
    name: `link ${name}`,
    program: tool.path,
    args: ['-db', '-f', config],
    env: toolEnvironment(tool),
    logFile: join(folder, 'links.log'),
  });
  await untilReady(child, () => reach(port), { withinMs: READY_WITHIN_MS, onSpawn });
  return {
    ...{ name, host: LOOPBACK, port, process: child },
    async cut() {
      await command(socket, 'set server far/far state maint');
      await command(socket, 'shutdown sessions server far/far');
    },
    mendCut: () => command(socket, 'set server far/far state ready'),
    stall: () => {
      child.suspend();
    },
    mendStall: () => {
      child.resume();
    },
  };
}

/** It has no opinion of its own: no checks, no time limits that ours do not have, no second attempts. */
const configuration = (socket: string, port: number, target: number): string => `global
  maxconn 2000
  stats socket ${socket} mode 600 level admin
defaults
  mode tcp
  timeout connect 2s
  timeout client 1h
  timeout server 1h
  retries 0
frontend near
  bind ${LOOPBACK}:${String(port)}
  default_backend far
backend far
  server far ${LOOPBACK}:${String(target)}
`;

/** One command to its admin socket, which answers an empty line, and says otherwise what it did not like. */
function command(socket: string, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const connection = createConnection({ path: socket, timeout: COMMAND_WITHIN_MS });
    connection.on('data', (chunk) => (answer += chunk.toString()));
    connection.once('error', reject);
    connection.once('timeout', () => {
      connection.destroy();
      reject(new Error(`HAProxy does not answer: ${text}`));
    });
    connection.once('close', () => {
      if (answer.trim() === '') resolve();
      else reject(new Error(`HAProxy: ${text}: ${answer.trim()}`));
    });
    connection.end(`${text}\n`);
  });
}
