import { join } from 'node:path';
import { startChild } from '../../servers/child-process';
import { untilReady } from '../../servers/ready';
import { toolEnvironment } from '../../servers/tool';
import { readToolchain } from '../toolchain';
import type { Ground } from './ground';
import { partOf, type Parts } from './parts';

const READY_WITHIN_MS = 60_000;

/** The S3 server over a folder, as compose starts it: its bucket was made by `keys`. */
export async function startStorage(ground: Ground, parts: Parts): Promise<void> {
  const tool = readToolchain().versitygw;
  if (tool === undefined)
    throw new Error('NOT RUN: this needs versitygw, an S3 server; node local/setup/setup.mjs --production-shape');
  await ground.place('storage:7070');
  const child = await startChild({
    name: 'storage',
    program: tool.path,
    args: ground.command('storage'),
    env: { ...toolEnvironment(tool), ...ground.environment('storage') },
    cwd: ground.folder,
    logFile: join(ground.folder, 'storage.log'),
  });
  const health = async (): Promise<void> => {
    const answer = await fetch(`http://${ground.at('storage:7070')}/health`, { signal: AbortSignal.timeout(2_000) });
    if (!answer.ok) throw new Error(`its health is ${String(answer.status)}`);
  };
  await untilReady(child, health, { withinMs: READY_WITHIN_MS, onSpawn: parts.onSpawn });
  parts.add(partOf('storage', 'compose storage', ground.at('storage:7070'), child));
}
