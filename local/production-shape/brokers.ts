import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startChild } from '../../servers/child-process';
import { LOOPBACK } from '../../servers/free-port';
import { reach } from '../../servers/reach';
import { untilReady } from '../../servers/ready';
import { toolEnvironment } from '../../servers/tool';
import { readToolchain } from '../toolchain';
import type { Ground } from './ground';
import { partOf, type Part, type Parts } from './parts';

export const BROKERS = ['mosquitto-active', 'mosquitto-standby'] as const;
/** Of deploy/mosquitto/mosquitto.conf: for devices, and for our own processes. */
export const BROKER_PORTS = { devices: 8883, ours: 8884 } as const;
const READY_WITHIN_MS = 60_000;

/** The brokers with the very files that `keys` handed out; only addresses and folders are this machine's. */
export async function startBrokers(ground: Ground, parts: Parts): Promise<void> {
  parts.add(...(await Promise.all(BROKERS.map((name) => startBroker(ground, name, parts)))));
}

async function startBroker(ground: Ground, name: (typeof BROKERS)[number], { onSpawn }: Parts): Promise<Part> {
  const tool = readToolchain().mosquitto;
  for (const inside of Object.values(BROKER_PORTS)) await ground.place(`${name}:${String(inside)}`);
  const port = ground.port(`${name}:${String(BROKER_PORTS.ours)}`);
  mkdirSync(ground.path(name, '/mosquitto/data'), { recursive: true });
  const shipped = readFileSync(ground.path(name, '/mosquitto/config/mosquitto.conf'), 'utf8');
  const here = ground.withPaths(name, shipped).replaceAll(/^listener (\d+)$/gm, (_all, inside: string) => {
    return `listener ${String(ground.port(`${name}:${inside}`))} ${LOOPBACK}`;
  });
  const configuration = join(ground.folder, `${name}.conf`);
  // Started as root it would become user `mosquitto`, who does not own its files here.
  writeFileSync(configuration, process.getuid?.() === 0 ? `${here}\nuser root\n` : here);
  const child = await startChild({
    name,
    program: tool.path,
    args: ['-c', configuration],
    env: toolEnvironment(tool),
    cwd: ground.folder,
    logFile: join(ground.folder, `${name}.log`),
  });
  await untilReady(child, () => reach(port), { withinMs: READY_WITHIN_MS, onSpawn });
  return partOf(name, 'compose, deploy/mosquitto', ground.at(`${name}:${String(BROKER_PORTS.devices)}`), child);
}
