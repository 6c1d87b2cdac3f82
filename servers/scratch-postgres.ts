import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { startPostgres } from './postgres';
import { makeRunFolder, sweepRunFolders } from './run-folder';
import type { PostgresTools } from './tool';

/** A PostgreSQL of one's own on 127.0.0.1, thrown away after use. */
export interface ScratchPostgres {
  readonly host: string;
  readonly port: number;
  readonly superuser: string;
  readonly password: string;
  readonly pid: number;
  /** Ends it and deletes its data. Safe to call twice; never rejects. */
  remove(): Promise<void>;
}

export interface ScratchOptions {
  readonly tools: PostgresTools;
  /** Where its folder is made; needs about three times the size of what is restored. */
  readonly parent: string;
  /** Gives up starting and removes it; does nothing once it runs. */
  readonly signal?: AbortSignal;
}

const PREFIX = 'derms-scratch-';
const CLUSTER = 'postgres';
const SUPERUSER = 'derms_scratch';

/** Nothing in it has to outlive a crash, and it is filled once: no log is kept for replicas, none is archived. */
const SETTINGS = {
  wal_level: 'minimal',
  max_wal_senders: 0,
  archive_mode: false,
  max_wal_size: '4GB',
  maintenance_work_mem: '256MB',
  autovacuum: false,
  max_connections: 50,
};

/** Makes and starts one, in about a second. Ends what killed runs left behind first. */
export async function startScratchPostgres({ tools, parent, signal }: ScratchOptions): Promise<ScratchPostgres> {
  mkdirSync(parent, { recursive: true });
  await sweepScratchPostgres(parent);
  signal?.throwIfAborted();
  const folder = makeRunFolder(parent, PREFIX);
  try {
    const server = await startPostgres({
      dataDir: join(folder.path, CLUSTER),
      user: SUPERUSER,
      password: randomBytes(24).toString('base64url'),
      profile: 'fast',
      settings: SETTINGS,
      tools,
      onSpawn: ({ name, pid }) => {
        folder.record.add(name, pid);
      },
      ...(signal === undefined ? {} : { signal }),
    });
    let removed: Promise<void> | undefined;
    const remove = async (): Promise<void> => {
      await server.stop('immediate');
      folder.remove([CLUSTER]);
    };
    const { host, port, superuser, password, pid } = server;
    return { host, port, superuser, password, pid, remove: () => (removed ??= remove()) };
  } catch (error) {
    folder.remove([CLUSTER]);
    throw error;
  }
}

/** Ends and removes what runs left that were killed; returns how many. */
export const sweepScratchPostgres = (parent: string): Promise<number> => sweepRunFolders(parent, PREFIX, [CLUSTER]);
