import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DermsError } from '../../domain/errors';
import { startMosquitto, type MosquittoBroker } from '../../servers/mosquitto';
import { canEnter, unprivilegedUser, type OsUser } from '../../servers/os-user';
import type { Tool } from '../../servers/tool';
import { removeLeftScratch, scratchName } from './scratch-leftovers';

export interface ScratchOptions {
  readonly mosquitto: Tool;
  /** Where its folder is made. The plain store lies there while it is proven, readable for the broker's user only. */
  readonly root?: string;
  readonly signal?: AbortSignal;
}

const STORE = 'mosquitto.db';

/**
 * Boots a real broker on a copy and takes it away again, whatever happens: on loopback, on a port of its own, without
 * bridges, plugins or passwords. What a killed process of ours has left is removed first.
 *
 * `fill` writes the store to the path it is given; `use` has the broker until it returns or throws.
 *
 * @throws {DermsError} `BROKER_STORE_FAULTY` when Mosquitto refuses the store.
 */
export async function withScratchBroker<Result>(
  { mosquitto, root = tmpdir(), signal }: ScratchOptions,
  fill: (storeFile: string) => Promise<void>,
  use: (broker: MosquittoBroker) => Promise<Result>,
): Promise<Result> {
  await removeLeftScratch(root);
  const folder = await mkdtemp(join(root, scratchName()));
  let broker: MosquittoBroker | undefined;
  try {
    await fill(join(folder, STORE));
    signal?.throwIfAborted();
    broker = await boot(mosquitto, folder, signal);
    return await use(broker);
  } finally {
    // Not asked to stop: it would save first.
    await broker?.kill();
    await rm(folder, { recursive: true, force: true });
  }
}

async function boot(tool: Tool, folder: string, signal?: AbortSignal): Promise<MosquittoBroker> {
  const runAs = userFor(tool, folder);
  try {
    return await startMosquitto({
      dataDir: folder,
      tool,
      logFile: join(folder, 'mosquitto.log'),
      // `$SYS` each second instead of each ten: sessions are counted by it.
      config: ['sys_interval 1'],
      ...(runAs && { runAs }),
      ...(signal && { signal }),
    });
  } catch (cause) {
    signal?.throwIfAborted();
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new DermsError('BROKER_STORE_FAULTY', `a broker does not start on the copy: ${why}`, { cause });
  }
}

/** Root hands it to Mosquitto's own user, unless that cannot reach the program (it lies in root's home). */
function userFor(tool: Tool, folder: string): OsUser | undefined {
  const user = unprivilegedUser('mosquitto');
  const needed = [dirname(tool.path), tool.libraryPath ?? dirname(tool.path), dirname(folder)];
  return user !== undefined && needed.every((path) => canEnter(user, path)) ? user : undefined;
}
