import { readFileSync, writeFileSync } from 'node:fs';
import { parseRegistryFile } from '../contracts/registry-file';
import { createLogger } from '../observability/logger';
import { ShutdownList } from '../observability/shutdown';
import { createFleet, type FleetOptions } from '../simulator/fleet';
import type { AcknowledgedReading, FeederFlow } from './records';

/** What the fleet of a run is told, as JSON in `CHAOS_FLEET`. */
export interface FleetOrder extends Pick<FleetOptions, 'brokers' | 'clientId'> {
  readonly username: string;
  readonly password: string;
  readonly registryFile: string;
  readonly seed: number;
  /** Written when it is told to stop. */
  readonly recordFile: string;
}

export interface FleetRecords {
  readonly acknowledged: readonly AcknowledgedReading[];
  readonly flows: readonly FeederFlow[];
}

const FLOWS_EACH_MS = 1_000;
const STOP_WITHIN_MS = 10_000;
/** A gateway serves so many devices: the more connections, the more that a fault may hit. */
const DEVICES_PER_CONNECTION = 15;

/** The simulated fleet in a process of its own, which writes down what its brokers have acknowledged. */
async function main(): Promise<void> {
  const order = JSON.parse(process.env['CHAOS_FLEET'] ?? '{}') as FleetOrder; // ours, from run-chaos.ts
  const log = createLogger({ service: 'derms', role: 'simulator', level: 'info', pretty: false });
  const fleet = createFleet({
    ...order,
    registry: parseRegistryFile(readFileSync(order.registryFile, 'utf8')),
    simulation: { seed: order.seed },
    topicPrefix: 'der',
    devicesPerConnection: DEVICES_PER_CONNECTION,
    record: { telemetry: true },
    log,
  });
  const flows: FeederFlow[] = [];
  const reading = setInterval(() => {
    const atMs = Date.now();
    for (const { feederId, flowKw, householdsKw } of fleet.feederFlows())
      flows.push({ atMs, feederId, flowKw, householdsKw });
  }, FLOWS_EACH_MS);
  const shutdown = new ShutdownList(log, STOP_WITHIN_MS);
  shutdown.add('records', () => {
    const records: FleetRecords = { acknowledged: fleet.acknowledgedTelemetry(), flows };
    writeFileSync(order.recordFile, JSON.stringify(records));
    return Promise.resolve();
  });
  shutdown.add('fleet', async () => {
    clearInterval(reading);
    await fleet.stop();
  });
  shutdown.listen();
  await fleet.start();
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 1;
});
