import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DumpManifest } from '../../../../backups/manifest-schema';
import { takeDump } from '../../../../backups/postgres/take-dump';
import { withClient } from '../../../../backups/restore/admin-client';
import { contentOf } from '../../../../backups/restore/content-of';
import { restoreDump } from '../../../../backups/restore/restore-dump';
import { ensureRoles } from '../../../../backups/restore/roles';
import { verifyDump } from '../../../../backups/verify-dump';
import { readToolchain } from '../../../../local/toolchain';
import { signalTree } from '../../../../servers/process-tree';
import { startScratchPostgres, type ScratchPostgres } from '../../../../servers/scratch-postgres';
import { createDumpWorld, type DumpWorld } from './dump-world';

const SILENCE_MS = 1_500;
/** Silence, the grace of a program that does not end when asked to, and what a busy machine adds. */
const WITHIN_MS = 25_000;

let world: DumpWorld;
let scratch: ScratchPostgres;
const folder = mkdtempSync(join(tmpdir(), 'derms-silence-'));
const signal = new AbortController().signal;
const impatient = () => ({
  ...world.ports,
  programs: { ...world.ports.programs, longestSilenceMs: SILENCE_MS },
});
const emptyDatabase = async (roles: DumpManifest['roles'] = []) => {
  const { host, port, superuser: user, password } = scratch;
  const access = { host, port, user, password, database: 'postgres' };
  const database = `restored_${randomUUID().slice(0, 8)}`;
  await withClient(access, 'test', async (client) => {
    await ensureRoles(client, roles);
    await client.query(`create database ${database}`);
  });
  return { ...access, database };
};

beforeAll(async () => {
  world = await createDumpWorld({ rows: 400_000 });
  scratch = await startScratchPostgres({ tools: readToolchain().postgres, parent: folder });
}, 60_000);
afterAll(async () => {
  await world.close();
  await scratch.remove();
  rmSync(folder, { recursive: true });
});

describe('a part that hangs in the middle', () => {
  it.each(['pg_dump', 'zstd'])(
    'ends the dump when it is %s, and leaves nothing',
    async (program) => {
      const order = world.order();
      const stopped: number[] = [];
      const began = performance.now();
      const taking = takeDump(impatient(), {
        ...order,
        onProgress: (bytes) => {
          if (bytes < 1_000_000 || stopped.length > 0) return;
          stopped.push(...childrenOf(process.pid, program));
          for (const pid of stopped) process.kill(pid, 'SIGSTOP');
        },
      });
      await expect(taking).rejects.toMatchObject({
        code: 'TIMED_OUT',
        message: `${program} has moved no byte for 1.5 s`,
      });
      expect(performance.now() - began).toBeLessThan(WITHIN_MS);
      expect([stopped.length, childrenOf(process.pid, program)]).toEqual([1, []]);
      expect(await world.ports.storage.head(order.key)).toBeNull();
      expect(readdirSync(join(world.folder, '.parts'))).toEqual([]);
      expect(await world.sessionsOf(order.runId)).toBe(0);
    },
    60_000,
  );

  it.each(['zstd', 'pg_restore'])(
    'ends the verification when it is %s, without a verdict',
    async (program) => {
      const order = world.order();
      await takeDump(world.ports, order);
      const stopped: number[] = [];
      const looking = verifyDump(impatient(), order.key, {
        signal,
        onProgress: () => {
          if (stopped.length > 0) return;
          stopped.push(...childrenOf(process.pid, program));
          for (const pid of stopped) process.kill(pid, 'SIGSTOP');
        },
      });
      await expect(looking).rejects.toMatchObject({ code: 'TIMED_OUT' });
      expect([stopped.length, childrenOf(process.pid, program)]).toEqual([1, []]);
    },
    60_000,
  );

  it('ends the restore when it is pg_restore', async () => {
    const order = world.order();
    const backup = await takeDump(world.ports, order);
    const target = await emptyDatabase(backup.roles);
    const stopped: number[] = [];
    const restoring = restoreDump({
      ...{ ...impatient(), backup, target, runId: order.runId, signal },
      onProgress: (bytes) => {
        if (bytes < 1_000_000 || stopped.length > 0) return;
        stopped.push(...childrenOf(process.pid, 'pg_restore'));
        for (const pid of stopped) process.kill(pid, 'SIGSTOP');
      },
    });
    await expect(restoring).rejects.toMatchObject({
      code: 'TIMED_OUT',
      message: 'pg_restore has moved no byte for 1.5 s',
    });
    expect(childrenOf(process.pid, 'pg_restore')).toEqual([]);
  }, 60_000);
});

describe('a program that is silent because the server works', () => {
  it('is left alone, however long that takes', async () => {
    const admin = await world.admin();
    await admin.query(`create table slow_to_index (id integer)`);
    await admin.query(`insert into slow_to_index values (1)`);
    await admin.query(
      `create function slowly(integer) returns integer language plpgsql immutable as
         $$ begin perform pg_catalog.pg_sleep(4); return $1; end $$`,
    );
    await admin.query(`create index on slow_to_index (public.slowly(id))`);
    const order = world.order();
    const backup = await takeDump(world.ports, order);
    const target = await emptyDatabase(backup.roles);
    try {
      await restoreDump({ ...impatient(), backup, target, runId: order.runId, signal });
    } finally {
      await admin.query('drop table slow_to_index; drop function slowly');
    }
  }, 60_000);
});

describe('a server that hangs', () => {
  it('ends what is asked of it', async () => {
    const access = await emptyDatabase();
    const slow = withClient(access, 'test', (client) => client.query('select pg_sleep(4)'), { silenceMs: SILENCE_MS });
    await expect(slow).resolves.toMatchObject({ rowCount: 1 });
    await withClient(access, 'test', (client) => client.query('create table a as select generate_series(1, 3000000)'));
    const hashing = contentOf(access, signal, SILENCE_MS);
    hashing.catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 300));
    signalTree(scratch.pid, 'SIGSTOP');
    try {
      await expect(hashing).rejects.toMatchObject({ code: 'TIMED_OUT' });
    } finally {
      signalTree(scratch.pid, 'SIGCONT');
    }
  }, 60_000);
});

/** Programs of this name that a process has started and that have not ended. */
function childrenOf(parent: number, program: string): number[] {
  const found = execFileSync('/bin/sh', ['-c', `pgrep -x ${program} || true`], { encoding: 'utf8' });
  return found
    .split('\n')
    .filter((line) => line !== '')
    .map(Number)
    .filter((pid) => {
      const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
      const [state, parentPid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return Number(parentPid) === parent && state !== 'Z';
    });
}
