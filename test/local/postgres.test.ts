import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { startPostgres, type PostgresOptions } from '../../local/postgres';
import type { PostgresServer } from '../../servers/postgres';
import { removeDataFolder } from '../../servers/postgres-data';
import { unwieldyFolder } from './checkout';

const PASSWORD = `it's a "pass\\word" with spaces`;
const asRoot = process.getuid?.() === 0 ? it : it.skip;

const query = async (server: PostgresServer, sql: string, password = PASSWORD): Promise<unknown[]> => {
  const { host, port, superuser: user } = server;
  const client = new Client({ host, port, user, password, database: 'postgres', connectionTimeoutMillis: 1_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.query<Record<string, unknown>>(sql)).rows.map((row) => Object.values(row)[0]);
  } finally {
    await client.end().catch(() => undefined);
  }
};

describe('a PostgreSQL server in a folder with spaces, quotes and a deep path', () => {
  const folder = unwieldyFolder();
  const options: PostgresOptions = { dataDir: join(folder.path, 'postgres'), password: PASSWORD, profile: 'fast' };
  let server: PostgresServer;

  beforeAll(async () => {
    server = await startPostgres({ ...options, settings: { work_mem: '7MB' } });
  });
  afterAll(async () => {
    await server.stop();
    folder.remove();
  });

  it('lets the superuser in with the password, and nobody without', async () => {
    await expect(query(server, 'select 1')).resolves.toEqual([1]);
    await expect(query(server, 'select 1', 'another')).rejects.toMatchObject({ code: '28P01' });
    await expect(query(server, 'select 1', '')).rejects.toThrow(/password/);
  });

  it('checks its pages, takes 200 connections and the settings it was given', async () => {
    await expect(query(server, 'show data_checksums')).resolves.toEqual(['on']);
    await expect(query(server, 'show max_connections')).resolves.toEqual(['200']);
    await expect(query(server, 'show work_mem')).resolves.toEqual(['7MB']);
  });

  it('listens on loopback only and makes no socket file', async () => {
    await expect(query(server, 'show listen_addresses')).resolves.toEqual(['127.0.0.1']);
    await expect(query(server, 'show unix_socket_directories')).resolves.toEqual(['']);
  });

  asRoot('runs as another user when we are root', () => {
    expect(statSync(`/proc/${server.pid}`).uid).not.toBe(0);
  });

  it('hangs while suspended, with its port open, and goes on where it was', async () => {
    const waiting = query(server, 'select 2 from pg_sleep(0.5)');
    await sleep(200);
    server.suspend();
    await expect(query(server, 'select 1')).rejects.toThrow(/timeout/);
    server.resume();
    await expect(waiting).resolves.toEqual([2]);
    await expect(query(server, 'select 3')).resolves.toEqual([3]);
  });

  it('ends within its grace also when it is stopped while suspended', async () => {
    server.suspend();
    await expect(server.stop()).resolves.toEqual({ code: 0, signal: null });
    server = await startPostgres(options);
  });

  it('has what was committed after it was killed, on the same port', async () => {
    await query(server, 'create table kept as select 42 as answer');
    await query(server, 'checkpoint');
    await expect(server.kill()).resolves.toEqual({ code: null, signal: 'SIGKILL' });
    server = await startPostgres({ ...options, port: server.port });
    await expect(query(server, 'select answer from kept')).resolves.toEqual([42]);
  });

  it('says at once that the password is not the one the data was made with', async () => {
    await server.stop();
    await expect(startPostgres({ ...options, password: 'new' })).rejects.toThrow(/refuses our password.*--fresh/);
    server = await startPostgres(options);
  });

  it('says why it could not start when the port is in use', async () => {
    const other = { ...options, dataDir: join(folder.path, 'other'), port: server.port };
    await expect(startPostgres(other)).rejects.toThrow(`port ${server.port} is in use`);
  });

  it('gives up starting when it is told to, and leaves no process', async () => {
    const giveUp = new AbortController();
    let running: (() => boolean) | undefined;
    const start = startPostgres({
      ...options,
      dataDir: join(folder.path, 'given up'),
      signal: giveUp.signal,
      onSpawn: ({ isRunning }) => {
        running = isRunning;
        giveUp.abort(new Error('told to'));
      },
    });
    await expect(start).rejects.toThrow('told to');
    expect(running?.()).toBe(false);
  });
});

describe('a PostgreSQL server of root in a folder that nobody else can enter', () => {
  asRoot('has its data in /var/tmp, and a link to it where it was asked for', async () => {
    const folder = unwieldyFolder();
    const locked = join(folder.path, 'locked');
    mkdirSync(locked);
    chmodSync(locked, 0o700);
    const dataDir = join(locked, 'postgres');
    const options: PostgresOptions = { dataDir, password: PASSWORD, profile: 'fast' };

    const first = await startPostgres(options);
    expect(first.dataDir).toMatch(/^\/var\/tmp\/derms-[0-9a-f]{12}\/postgres$/);
    expect(lstatSync(dataDir).isSymbolicLink()).toBe(true);
    await first.stop();

    const again = await startPostgres(options);
    expect(again.dataDir).toBe(first.dataDir);
    await again.stop();

    removeDataFolder(dataDir);
    expect(existsSync(first.dataDir)).toBe(false);
    expect(readFileSync(`${dataDir}.log`, 'utf8')).toContain('ready to accept connections');
    folder.remove();
  });
});
