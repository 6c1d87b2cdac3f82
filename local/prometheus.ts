import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { startChild, type ChildProcess, type StartOptions } from '../servers/child-process';
import { freePort, LOOPBACK } from '../servers/free-port';
import { untilReady } from '../servers/ready';
import { toolEnvironment } from '../servers/tool';
import { readToolchain, type InstalledTool } from './toolchain';

/** A server of the Prometheus family on 127.0.0.1. */
export interface MonitoringServer extends ChildProcess {
  readonly url: string;
}

export interface MonitoringOptions extends StartOptions {
  readonly configFile: string;
  /** For its data and its log. */
  readonly folder: string;
  /** More words for its command line. */
  readonly args?: readonly string[];
}

const READY_WITHIN_MS = 60_000;

export function startPrometheus({
  configFile,
  folder,
  args = [],
  ...options
}: MonitoringOptions): Promise<MonitoringServer> {
  const data = join(folder, 'prometheus');
  return start('prometheus', folder, options, (address) => [
    `--config.file=${configFile}`,
    `--storage.tsdb.path=${data}`,
    `--web.listen-address=${address}`,
    '--log.format=json',
    ...args,
  ]);
}

/** Alone: it looks for no others of its kind. */
export function startAlertmanager({
  configFile,
  folder,
  args = [],
  ...options
}: MonitoringOptions): Promise<MonitoringServer> {
  const data = join(folder, 'alertmanager');
  return start('alertmanager', folder, options, (address) => [
    `--config.file=${configFile}`,
    `--storage.path=${data}`,
    `--web.listen-address=${address}`,
    '--cluster.listen-address=',
    '--log.format=json',
    ...args,
  ]);
}

async function start(
  name: 'prometheus' | 'alertmanager',
  folder: string,
  options: StartOptions,
  args: (address: string) => readonly string[],
): Promise<MonitoringServer> {
  const tool = requireTool(name);
  mkdirSync(folder, { recursive: true });
  const address = `${LOOPBACK}:${String(await freePort())}`;
  const url = `http://${address}`;
  const child = await startChild({
    name,
    program: tool.path,
    args: args(address),
    env: toolEnvironment(tool),
    logFile: options.logFile ?? join(folder, `${name}.log`),
  });
  await untilReady(child, () => isReady(url), { ...options, withinMs: READY_WITHIN_MS });
  return { ...child, url };
}

async function isReady(url: string): Promise<void> {
  const answer = await fetch(`${url}/-/ready`, { signal: AbortSignal.timeout(2_000) });
  if (!answer.ok) throw new Error(`it is not ready: ${String(answer.status)}`);
  await answer.arrayBuffer();
}

/** Proofs without it have not run, and say so rather than pass. */
function requireTool(name: 'prometheus' | 'alertmanager'): InstalledTool {
  const tool = readToolchain()[name];
  if (tool !== undefined) return tool;
  throw new Error(
    `NOT RUN: this proof needs ${name}. \`node local/setup/setup.mjs --proofs\` installs it, or says what to type`,
  );
}
