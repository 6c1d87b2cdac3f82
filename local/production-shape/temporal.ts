import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { startChild, type ChildProcess } from '../../servers/child-process';
import { freePort, LOOPBACK } from '../../servers/free-port';
import { reach } from '../../servers/reach';
import { untilReady } from '../../servers/ready';
import { toolEnvironment } from '../../servers/tool';
import { startPostgres } from '../postgres';
import { readToolchain, type InstalledTool } from '../toolchain';
import type { Ground } from './ground';
import { partOf, type Parts } from './parts';

/** A server on this loaded machine: 128 shards are taken one after the other, ms. */
const READY_WITHIN_MS = 120_000;
const SCRIPT_WITHIN_MS = 180_000;

/** The production server of Temporal as compose starts it: its own PostgreSQL, its schema tool, our scripts. */
export async function startTemporalServer(ground: Ground, parts: Parts): Promise<void> {
  const { onSpawn } = parts;
  const tool = requireServer();
  const { POSTGRES_USER: user = '', POSTGRES_PASSWORD: password = '' } = ground.environment('temporal-postgres');
  const postgres = await startPostgres({
    ...{ dataDir: join(ground.folder, 'volumes', 'temporal-postgres'), user, password, onSpawn },
  });
  parts.add(partOf('temporal-postgres', 'compose temporal-postgres', `${LOOPBACK}:${String(postgres.port)}`, postgres));
  ground.placeAt('temporal-postgres:5432', postgres.port);
  await makeDatabaseOfImage({ port: postgres.port, user, password });

  const folder = toolFolder(ground, tool);
  await runScript(ground, 'temporal-schema', 'schema.sh', folder, (script) =>
    script
      .replaceAll('/etc/temporal/schema', join(tool.path, 'schema'))
      .replaceAll('--port 5432', `--port ${String(postgres.port)}`),
  );

  const port = await ground.place('temporal:7233');
  await ground.place('temporal:8000');
  const env = { ...ground.environment('temporal'), ...(await portsOfServices(port)) };
  const launch = async (): Promise<ChildProcess> => {
    const child = await startChild({
      name: 'Temporal server',
      program: join(tool.path, 'temporal-server'),
      args: ['start'], // what the image's entrypoint ends in
      env: { ...toolEnvironment(tool), ...env },
      cwd: ground.folder,
      logFile: join(ground.folder, 'temporal.log'),
    });
    await untilReady(child, () => reach(port), { withinMs: READY_WITHIN_MS, onSpawn });
    return child;
  };
  let server = await launch();
  parts.add({
    ...{ name: 'temporal', from: `compose temporal, ${tool.version}`, address: ground.at('temporal:7233') },
    process: () => server,
    stop: () => server.stop({ graceMs: 20_000 }),
    async startAgain() {
      server = await launch();
    },
  });
  await runScript(ground, 'temporal-namespace', 'namespace.sh', folder, (script) => script);
}

/** The image of PostgreSQL makes a database with the name of its user. */
async function makeDatabaseOfImage(login: { port: number; user: string; password: string }): Promise<void> {
  const client = new Client({ ...login, host: LOOPBACK, database: 'postgres' });
  await client.connect();
  try {
    await client.query(`create database "${login.user}"`);
  } finally {
    await client.end();
  }
}

/** Compose gives each container an address of its own, so there the ports inside are the standard ones. */
async function portsOfServices(frontend: number): Promise<Readonly<Record<string, string>>> {
  const names = ['HISTORY_GRPC', 'MATCHING_GRPC', 'WORKER_GRPC', 'FRONTEND_HTTP'];
  const members = ['FRONTEND', 'HISTORY', 'MATCHING', 'WORKER'].map((name) => `${name}_MEMBERSHIP`);
  const free = await Promise.all(
    [...names, ...members].map(async (name) => [`${name}_PORT`, String(await freePort())]),
  );
  return { FRONTEND_GRPC_PORT: String(frontend), ...(Object.fromEntries(free) as Record<string, string>) };
}

/** The programs that the scripts call, under the names that they have in the image of admin tools. */
function toolFolder(ground: Ground, server: InstalledTool): string {
  const folder = join(ground.folder, 'bin');
  mkdirSync(folder, { recursive: true });
  symlinkSync(join(server.path, 'temporal-sql-tool'), join(folder, 'temporal-sql-tool'));
  symlinkSync(readToolchain().temporal.path, join(folder, 'temporal'));
  return folder;
}

async function runScript(
  ground: Ground,
  service: string,
  name: string,
  bin: string,
  change: (script: string) => string,
): Promise<void> {
  const script = readFileSync(ground.path(service, `/scripts/${name}`), 'utf8');
  const env = { ...ground.environment(service), PATH: `${bin}:${dirname(process.execPath)}:/usr/bin:/bin` };
  try {
    await promisify(execFile)('/bin/sh', ['-c', change(ground.withPaths(service, script))], {
      ...{ env, timeout: SCRIPT_WITHIN_MS, cwd: ground.folder },
    });
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }; // of execFile
    throw new Error(`${name} failed:\n${stdout.slice(-2_000)}\n${stderr.slice(-2_000)}`, { cause: error });
  }
}

function requireServer(): InstalledTool {
  const { temporalServer } = readToolchain();
  if (temporalServer !== undefined) return temporalServer;
  throw new Error(
    'NOT RUN: this needs the production server of Temporal. `node local/setup/setup.mjs --production-shape` builds it with Go, or says what to type',
  );
}
