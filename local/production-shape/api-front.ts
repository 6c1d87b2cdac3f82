import { join } from 'node:path';
import { startChild } from '../../servers/child-process';
import { freePort, LOOPBACK } from '../../servers/free-port';
import { reach } from '../../servers/reach';
import { untilReady } from '../../servers/ready';
import { toolEnvironment } from '../../servers/tool';
import { readToolchain, repositoryRoot } from '../toolchain';
import type { Ground } from './ground';
import { partOf, type Parts } from './parts';
import { REPLICATED, type Programs } from './programs';

const READY_WITHIN_MS = 60_000;
const API_PORT = 8080;

/** HAProxy with TLS before the replicas of the API. Returns its URL. */
export async function startApiFront(ground: Ground, parts: Parts, programs: Programs): Promise<string> {
  const tool = readToolchain().haproxy;
  if (tool === undefined)
    throw new Error('NOT RUN: this needs HAProxy; node local/setup/setup.mjs --production-shape installs it');
  const port = await freePort();
  const [a, b] = REPLICATED.api.map((replica) =>
    programs
      .of('api')
      .find(({ name }) => name === `api-${replica}`)
      ?.at(API_PORT),
  );
  const child = await startChild({
    name: 'HAProxy',
    program: tool.path,
    args: ['-db', '-f', join(repositoryRoot(), 'deploy/haproxy/api.cfg')],
    env: {
      ...toolEnvironment(tool),
      DERMS_API_BIND: `${LOOPBACK}:${String(port)}`,
      DERMS_API_CERT: ground.path('api', '/keys/tls.crt'),
      DERMS_API_A: a,
      DERMS_API_B: b,
    },
    logFile: join(ground.folder, 'haproxy-api.log'),
  });
  await untilReady(child, () => reach(port), { withinMs: READY_WITHIN_MS, onSpawn: parts.onSpawn });
  parts.add(partOf('haproxy (api)', 'deploy/haproxy/api.cfg', `${LOOPBACK}:${String(port)}`, child));
  return `https://localhost:${String(port)}`;
}
