import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  openSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
  writeSync,
  closeSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { checkSignature, manifestKeyOf } from '../../../../backups/manifest';
import { differingTables, hashTables } from '../../../../backups/postgres/content-hash';
import { pinFormats } from '../../../../backups/postgres/snapshot';
import { takeDump } from '../../../../backups/postgres/take-dump';
import { restoreDump } from '../../../../backups/restore/restore-dump';
import { programText, runProgram } from '../../../../backups/run-program';
import { dumpOf, verifyDump } from '../../../../backups/verify-dump';
import { keyRing } from '../../../support/keys';
import { eventually, testServers } from '../../../support/servers';
import { createDumpWorld, type DumpWorld } from './dump-world';

const signal = new AbortController().signal;
let world: DumpWorld;

beforeAll(async () => {
  world = await createDumpWorld({ rows: 200_000 });
});
afterAll(() => world.close());

describe('a dump', () => {
  it('taken while others write restores to exactly the rows of its manifest', async () => {
    const writer = await world.admin();
    let writing = true;
    const written = (async () => {
      let rows = 0;
      while (writing) {
        await writer.query(
          `insert into load_of_a_test select 1000000 + $1 * 10 + n, 'late' from generate_series(1, 10) n`,
          [rows],
        );
        await writer.query(`update load_of_a_test set noise = 'changed' where id = $1`, [rows + 1]);
        rows += 1;
      }
      return rows;
    })();
    const manifest = await takeDump(world.ports, world.order());
    writing = false;
    expect(await written).toBeGreaterThan(1);

    const target = `restored_${randomUUID().slice(0, 8)}`;
    const server = await world.admin('postgres');
    await server.query(`create database ${target} template template0`);
    try {
      const { host, port, adminUser, adminPassword } = testServers().postgres;
      await runProgram({
        program: join(world.ports.programs.postgres.bin, 'pg_restore'),
        args: ['--exit-on-error', '--dbname', target],
        env: { PGHOST: host, PGPORT: String(port), PGUSER: adminUser, PGPASSWORD: adminPassword },
        input: (until) => dumpOf(world.ports, manifest, until),
      });
      const restored = await world.admin(target);
      await pinFormats(restored);
      expect(differingTables(manifest.tables, await hashTables(restored))).toEqual([]);
      await restored.query(`update public.load_of_a_test set noise = 'x' where id = 7`);
      expect(differingTables(manifest.tables, await hashTables(restored))).toEqual([
        'public.load_of_a_test: other content in as many rows',
      ]);
      await restored.end();
    } finally {
      await server.query(`drop database ${target} with (force)`);
    }
  });

  it('is proven by reading it back, and says who made it of what', async () => {
    const order = world.order();
    const manifest = await takeDump(world.ports, order);
    const { verdict, faults } = await verifyDump(world.ports, order.key, { signal });
    expect({ verdict, faults }).toEqual({ verdict: 'passed', faults: [] });
    expect(checkSignature(world.ports.keyRing, manifest)).toBe('valid');
    expect(manifest.tables.find(({ name }) => name === 'public.schema_migrations')?.rows).toBe(
      manifest.migrations.length,
    );
    expect(manifest.server.version).toMatch(/^\d+\.\d+$/);
    expect(manifest.object.bytes).toBe(statSync(join(world.folder, order.key)).size);
  });

  it('that an earlier attempt of the run has finished is taken as it is', async () => {
    const order = world.order();
    const first = await takeDump(world.ports, order);
    expect(await takeDump(world.ports, order)).toEqual(first);
  });

  it('pitfall: what a dump leaves out is in the manifest, and no password is', async () => {
    const { roles, serverSettings, tablespaces } = await takeDump(world.ports, world.order());
    const role = roles.find(({ name }) => name === world.ports.access.user);
    expect(role).toMatchObject({ canLogin: true, superuser: false, memberOf: ['pg_monitor', 'pg_read_all_data'] });
    expect(role?.settings).toContain('statement_timeout=0');
    expect(serverSettings).toMatchObject({ max_connections: '200', wal_level: 'replica' });
    expect(tablespaces).toEqual([]);
    expect(JSON.stringify({ roles, serverSettings })).not.toContain('SCRAM');
  });

  it('pitfall: pg_dump that is killed leaves no object, no part and no session', async () => {
    const order = world.order();
    let killed = false;
    const taking = takeDump(world.ports, {
      ...order,
      onProgress: (bytes) => {
        if (bytes < 1_000_000 || killed) return;
        killed = true;
        for (const pid of pidsOf('pg_dump', order.runId)) process.kill(pid, 'SIGKILL');
      },
    });
    await expect(taking).rejects.toThrow('pg_dump ended with SIGKILL');
    await expectNothingOf(order.key, order.runId);
  });

  it('pitfall: a backend that is ended on the server leaves no object either, and the next attempt succeeds', async () => {
    const order = world.order();
    const server = await world.admin();
    const end = `select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1 and query like 'COPY%'`;
    let ended: Promise<unknown> | null = null;
    const taking = takeDump(world.ports, {
      ...order,
      onProgress: (bytes) => {
        if (bytes > 1_000_000) ended ??= server.query(end, [`derms-backup ${order.runId}`]);
      },
    });
    await expect(taking).rejects.toThrow('pg_dump ended with exit code 1');
    await expectNothingOf(order.key, order.runId);
    await takeDump(world.ports, order);
    expect((await verifyDump(world.ports, order.key, { signal })).verdict).toBe('passed');
  });

  it('that is cancelled leaves nothing behind and throws the reason', async () => {
    const stop = new AbortController();
    const order = world.order({ signal: stop.signal });
    const taking = takeDump(world.ports, {
      ...order,
      onProgress: (bytes) => {
        if (bytes > 1_000_000) stop.abort(new Error('the run was cancelled'));
      },
    });
    await expect(taking).rejects.toThrow('the run was cancelled');
    await expectNothingOf(order.key, order.runId);
  });

  it('pitfall: a session that a killed attempt left behind is ended by the next attempt', async () => {
    const order = world.order();
    const { Client } = await import('pg');
    const left = new Client({ ...world.ports.access, application_name: `derms-backup ${order.runId}` });
    const broken = new Promise((resolve) => left.on('error', resolve));
    await left.connect();
    await left.query('begin');
    await takeDump(world.ports, order);
    expect(String(await broken)).toContain('terminating connection');
    expect(await world.sessionsOf(order.runId)).toBe(0);
  });
});

describe('a restore', () => {
  it('pitfall: in which one statement fails ends there and is no success', async () => {
    const order = world.order();
    const backup = await takeDump(world.ports, order);
    const database = `restored_${randomUUID().slice(0, 8)}`;
    const server = await world.admin('postgres');
    await server.query(`create database ${database} template template0`);
    const inTheWay = await world.admin(database);
    await inTheWay.query('create table public.load_of_a_test (id text)');
    const { host, port, adminUser: user, adminPassword: password } = testServers().postgres;
    const target = { host, port, user, password, database };
    try {
      const restoring = restoreDump({ ...world.ports, backup, target, runId: order.runId, signal });
      await expect(restoring).rejects.toThrow('relation "load_of_a_test" already exists');
      // pg_restore left to itself goes on after it, and psql would even end with 0.
      const { rows } = await inTheWay.query('select count(*)::integer as count from public.load_of_a_test');
      expect(rows).toEqual([{ count: 0 }]);
      const later = await inTheWay.query<{ found: string | null }>(`select to_regclass('public.telemetry') as found`);
      expect(later.rows).toEqual([{ found: null }]);
    } finally {
      await inTheWay.end();
      await server.query(`drop database ${database} with (force)`);
    }
  });
});

describe('a dump that went bad', () => {
  it('pitfall: the table of contents of half a dump is whole, and yet half a dump is refused', async () => {
    const order = world.order();
    const manifest = await takeDump(world.ports, order);
    const half = join(world.folder, order.key);
    truncateSync(half, Math.floor(statSync(half).size / 2));
    const list = await programText({
      program: join(world.ports.programs.postgres.bin, 'pg_restore'),
      args: ['--list'],
      env: {},
      input: (until) => dumpOf(world.ports, manifest, until),
    });
    expect(list).toContain('TABLE DATA public load_of_a_test');
    const { verdict, faults } = await verifyDump(world.ports, order.key, { signal });
    expect(verdict).toBe('failed');
    expect(faults[0]).toContain('the object ends within frame');
  });

  it.each([
    ['a flipped bit', flipBit, 'was altered after it was written'],
    ['zeros in its place', (path: string) => writeFileSync(path, Buffer.alloc(5_000)), 'its first bytes are not ours'],
    ['bytes after its end', (path: string) => writeFileSync(path, 'x', { flag: 'a' }), 'bytes after the last frame'],
  ])('pitfall: %s is found', async (_what, damage, message) => {
    const order = world.order();
    await takeDump(world.ports, order);
    damage(join(world.folder, order.key));
    const { verdict, faults } = await verifyDump(world.ports, order.key, { signal });
    expect(verdict).toBe('failed');
    expect(faults.join()).toContain(message);
  });

  it('or that somebody else made, or that is gone, is refused', async () => {
    const order = world.order();
    await takeDump({ ...world.ports, keyRing: keyRing('k9') }, order);
    expect((await verifyDump(world.ports, order.key, { signal })).faults[0]).toContain('of an unknown key');
    await world.ports.storage.remove(order.key);
    expect((await verifyDump({ ...world.ports, keyRing: keyRing('k9') }, order.key, { signal })).verdict).toBe(
      'failed',
    );
  });

  it('with a manifest that was changed is refused', async () => {
    const order = world.order();
    await takeDump(world.ports, order);
    const path = join(world.folder, manifestKeyOf(order.key));
    writeFileSync(
      path,
      readFileSync(path, 'utf8').replace('"deployment": "development"', '"deployment": "production"'),
    );
    const { faults } = await verifyDump(world.ports, order.key, { signal });
    expect(faults).toEqual(['the signature of the manifest is false']);
  });
});

async function expectNothingOf(key: string, runId: string): Promise<void> {
  expect(await world.ports.storage.head(key)).toBeNull();
  expect(await world.ports.storage.head(manifestKeyOf(key))).toBeNull();
  expect(readdirSync(join(world.folder, '.parts'))).toEqual([]);
  await eventually(async () => {
    expect(await world.sessionsOf(runId)).toBe(0);
  });
}

/** By their environment, which carries the run. */
function pidsOf(program: string, runId: string): number[] {
  const found = execFileSync('/bin/sh', ['-c', `pgrep -x ${program} || true`], { encoding: 'utf8' });
  return found
    .split('\n')
    .filter((line) => line !== '')
    .map(Number)
    .filter((pid) => readFileSync(`/proc/${String(pid)}/environ`, 'utf8').includes(runId));
}

function flipBit(path: string): void {
  const bytes = readFileSync(path);
  const at = Math.floor(bytes.length / 2);
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.from([bytes.readUInt8(at) ^ 1]), 0, 1, at);
  closeSync(file);
}
