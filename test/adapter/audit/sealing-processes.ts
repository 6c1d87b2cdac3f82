import { execFileSync, fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { eventually } from '../../support/servers';
import type { SealingOrder } from './sealing-process';

/** A sealer that can be killed. With `standStill` it stops while it holds the lock; returns then. */
export async function forkSealer(order: SealingOrder): Promise<ChildProcess> {
  const child = fork(join(__dirname, '../broker/run-typescript.cjs'), [join(__dirname, 'sealing-process.ts')]);
  child.send(order);
  if (order.standStill) await eventually(() => expect(stateOf(child)).toMatch(/^T/), 45_000, 20);
  else await once(child, 'message');
  return child;
}

const stateOf = ({ pid }: ChildProcess): string =>
  execFileSync('ps', ['-o', 'state=', '-p', String(pid)], { encoding: 'utf8' }).trim();

/** kill -9, also for one that stands still. */
export async function killSealer(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
