import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { BaseManifest } from '../../../backups/manifest-schema';
import type { PostgresAccess } from '../../../backups/postgres/server';
import { withClient } from '../../../backups/restore/admin-client';
import { recoverToTime, type RecoverOrder } from '../../../backups/restore/recover-to-time';
import { walKey } from '../../../backups/wal/archive-key';
import { startPostgres } from '../../../local/postgres';
import { read, type MakePlace } from '../backup-places';
import { createBaseWorld, type BaseWorld } from '../base-world';
import { eventually } from '../servers';

const BUILT = join(__dirname, '../../../dist/backups/restore-main.js');

interface Outcome {
  readonly seen: { half: string; count: number }[] | null;
  readonly files: string[];
}

/** What holds of a recovery to a moment, wherever base backups and log lie. */
export function describeRecovery(makePlace: MakePlace): void {
  let world: BaseWorld;
  let base: BaseManifest;
  /** A moment between the two halves of what was written, and the segments that hold them, oldest first. */
  let between: Date;
  let segments: string[];

  beforeAll(async () => {
    if (!existsSync(BUILT)) throw new Error('dist/ is not there: run npm run build');
    world = await createBaseWorld(makePlace);
    const { query, switchSegment } = world.postgres;
    await query('create table written (half text, n integer)');
    base = await world.take();
    segments = [];
    for (const half of ['before', 'after']) {
      for (let part = 0; part < 2; part += 1) {
        await query(`insert into written select '${half}', n from generate_series(1, 1000) n`);
        segments.push(await switchSegment());
      }
      if (half === 'after') continue;
      await pause(100);
      between = (await query<{ at: Date }>('select clock_timestamp() as at'))[0]!.at;
      await pause(100);
    }
  }, 120_000);
  afterAll(() => world.close());

  const folder = (name: string): string => join(world.postgres.folder, name);
  const rows = (access: PostgresAccess): Promise<{ half: string; count: number }[]> =>
    withClient(access, 'test', async (client) => {
      const found = await client.query<{ half: string; count: number }>(
        'select half, count(*)::integer as count from written group by half order by half',
      );
      return found.rows;
    });

  async function recover(name: string, target: Date, more: Partial<RecoverOrder> = {}): Promise<Outcome> {
    const { storage, keyRing, restoreCommand } = world.postgres;
    const files: string[] = [];
    let seen: Outcome['seen'] = null;
    await recoverToTime(
      {
        ...{ storage, keyRing, restoreCommand, restoreEnvironment: {}, programs: world.ports.programs },
        prepare: async (access) => {
          seen = await rows(access);
        },
      },
      {
        ...{ base, target, timeline: 'latest', directory: folder(name), signal: AbortSignal.timeout(90_000) },
        onStep: () => undefined,
        onProgress: () => undefined,
        onFile: (file) => {
          if (files.at(-1) !== file) files.push(file);
        },
        ...more,
      },
    );
    return { seen, files };
  }

  describe('a recovery to a moment', () => {
    it('holds what was committed before it and nothing after, and never writes to the archive', async () => {
      const archived = await world.postgres.archivedNames();
      const { seen, files } = await recover('recovered', between);
      expect(seen).toEqual([{ half: 'before', count: 2000 }]);
      expect(files.at(-1)).toBe(segments[2]);

      const { password } = world.postgres.server;
      const settings = { archive_mode: 'on', archive_command: 'false' }; // as its own configuration would have it
      const again = await startPostgres({ dataDir: folder('recovered'), password, settings });
      try {
        const { host, port, superuser: user } = again;
        const access = { host, port, user, password, database: 'postgres' };
        expect(await rows(access)).toEqual([{ half: 'before', count: 2000 }]);
        const mode = await withClient(access, 'test', (client) => client.query('show archive_mode'));
        expect(mode.rows).toEqual([{ archive_mode: 'off' }]);
      } finally {
        await again.stop();
      }
      expect(await world.postgres.archivedNames()).toEqual(archived);
    }, 120_000);

    it('beyond the end of the archive is refused, not called a success', async () => {
      const later = new Date();
      await expect(recover('beyond', later)).rejects.toMatchObject({
        code: 'RECOVERY_FELL_SHORT',
        message: expect.stringMatching(/^the archived log ends before .+, the last transaction in it is of 2/),
      });
      expect(readdirSync(folder('beyond'))).toEqual([]);
    }, 120_000);

    it('that is yet to come is refused at once', async () => {
      await expect(recover('future', new Date(Date.now() + 60_000))).rejects.toThrow('is yet to come');
      expect(existsSync(folder('future'))).toBe(false);
    });

    it('pitfall: past a missing segment is refused by its name, though PostgreSQL takes it for the end of the log', async () => {
      const { systemId } = await world.postgres.archive();
      const { storage, place } = world.postgres;
      const key = walKey(systemId, segments[1]!);
      const content = await read(place, key);
      await storage.remove(key);
      try {
        await expect(recover('gap', between)).rejects.toMatchObject({
          code: 'RECOVERY_FELL_SHORT',
          message: expect.stringContaining(`${segments[1]!} is not in the archive, though later files are`),
        });
        expect(readdirSync(folder('gap'))).toEqual([]);
      } finally {
        await place.write(key, content);
      }
    }, 120_000);

    it('stops when a file of the log cannot be read, and leaves nothing', async () => {
      const { systemId } = await world.postgres.archive();
      const { place } = world.postgres;
      const key = walKey(systemId, segments[1]!);
      const content = await read(place, key);
      await place.write(key, content.subarray(0, content.length - 50));
      try {
        await expect(recover('cut', between)).rejects.toThrow('derms wal: the object ends within frame');
        expect(readdirSync(folder('cut'))).toEqual([]);
      } finally {
        await place.write(key, content);
      }
    }, 120_000);

    it('overwrites nothing', async () => {
      mkdirSync(folder('taken'));
      writeFileSync(folder('taken/precious'), 'x');
      await expect(recover('taken', between)).rejects.toMatchObject({ code: 'RESTORE_TARGET_REFUSED' });
      expect(readFileSync(folder('taken/precious'), 'utf8')).toBe('x');
    });

    it('that is given up ends its server and leaves nothing', async () => {
      const stop = new AbortController();
      const given = recover('given-up', between, {
        signal: stop.signal,
        onFile: () => {
          stop.abort(new Error('given up'));
        },
      });
      await expect(given).rejects.toThrow('given up');
      expect(readdirSync(folder('given-up'))).toEqual([]);
      await eventually(() => {
        expect(readdirSync('/proc').filter((pid) => worksIn(pid, folder('given-up')))).toEqual([]);
      });
    }, 120_000);
  });

  describe('npm run restore -- --to-time', () => {
    const options = () => ({
      cwd: world.postgres.folder,
      env: {
        PATH: process.env['PATH'],
        ...world.postgres.place.settings,
        BACKUP_ENCRYPTION_KEYS: world.postgres.keys,
        POSTGRES_BIN_DIR: world.ports.programs.postgres.bin,
        DB_NAME: 'postgres',
      },
    });
    const run = (argv: string[]) => spawnSync(process.execPath, [BUILT, ...argv], { ...options(), encoding: 'utf8' });

    it('makes a cluster of that moment, whose application is quarantined', async () => {
      const { status, stderr } = run(['--to-time', between.toISOString(), '--into-directory', folder('by-hand')]);
      expect(stderr).toContain('Recovered. It stopped before commit of transaction');
      expect(status).toBe(0);
      const { password } = world.postgres.server;
      const again = await startPostgres({ dataDir: folder('by-hand'), password });
      try {
        const { host, port, superuser: user } = again;
        const access = { host, port, user, password, database: 'postgres' };
        expect(await rows(access)).toEqual([{ half: 'before', count: 2000 }]);
        const held = await withClient(access, 'test', (client) =>
          client.query('select restored_from, lifted_at from quarantine'),
        );
        expect(held.rows).toEqual([{ restored_from: base.backupId, lifted_at: null }]);
      } finally {
        await again.stop();
      }
    }, 120_000);

    it('that is killed with kill -9 leaves a directory that says it is unfinished; the next one begins anew and leaves no server', async () => {
      const into = folder('killed');
      const mark = join(into, 'UNFINISHED-RECOVERY.json');
      const argv = ['--to-time', between.toISOString(), '--into-directory', into];
      for (const step of ['unpacking the base backup', 'replaying the log']) {
        const child = spawn(process.execPath, [BUILT, ...argv], { ...options(), stdio: ['ignore', 'ignore', 'pipe'] });
        let told = '';
        child.stderr.on('data', (chunk: Buffer) => (told += chunk.toString()));
        await eventually(
          () => {
            expect(told).toContain(step);
          },
          60_000,
          10,
        );
        child.kill('SIGKILL');
        await once(child, 'exit');
        expect(existsSync(mark)).toBe(true);
      }
      const { status, stderr } = run(argv);
      expect([status, stderr]).toEqual([0, expect.stringContaining('Recovered. It stopped before')]);
      expect(existsSync(mark)).toBe(false);
      expect(readdirSync('/proc').filter((pid) => worksIn(pid, into))).toEqual([]);
    }, 180_000);

    it.each([
      ['before the oldest base backup', ['--to-time', '2020-01-01T00:00:00Z'], 1, 'the oldest is of'],
      ['without its zone', ['--to-time', '2026-11-25T10:00:00'], 1, 'write it with its zone'],
      ['without a directory', ['--to-time', '2026-11-25T10:00:00Z'], 2, '--into-directory'],
    ])('refuses a moment %s', (what, argv, code, words) => {
      const into = what === 'without a directory' ? [] : ['--into-directory', folder('refused')];
      const { status, stderr } = run([...argv, ...into]);
      expect([status, stderr]).toEqual([code, expect.stringContaining(words)]);
      expect(existsSync(folder('refused'))).toBe(false);
    });
  });
}

function worksIn(pid: string, directory: string): boolean {
  try {
    return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(directory);
  } catch {
    return false;
  }
}
