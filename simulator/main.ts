import { readFileSync } from 'node:fs';
import { certificateFiles } from '../config/certificates';
import { BROKER_SETTINGS, brokerAccess } from '../config/connections';
import { ConfigurationError, loadSomeSettings } from '../config/load';
import type { Settings } from '../config/schema';
import { Secrets } from '../config/secrets';
import { parseRegistryFile, type RegistryFile } from '../contracts/registry-file';
import { DermsError } from '../domain/errors';
import { createLogger } from '../observability/logger';
import { createRegistry } from '../observability/metrics';
import { startProbeServer } from '../observability/probe-server';
import { ShutdownList } from '../observability/shutdown';
import { registerCertificateMetrics } from '../tls/certificate-metrics';
import { readArguments, USAGE, UsageError, type SimulatorArguments } from './arguments';
import { createFleet, type Fleet, type FleetOptions } from './fleet';
import { registerFleetMetrics } from './fleet-metrics';
import { generateRegistry } from './generated-registry';

const DEFAULT_REGISTRY = 'deploy/registry/demo.yaml';
const STOP_WITHIN_MS = 1_800;
/** All that a fleet may know: the way to the broker, and how to be watched. */
const SETTINGS = [
  'INSTANCE_ID',
  ...BROKER_SETTINGS,
  'MQTT_TOPIC_PREFIX',
  'METRICS_HOST',
  'METRICS_PORT',
  'PROMETHEUS_ENABLED',
  'PROMETHEUS_PATH',
  'LOG_LEVEL',
  'LOG_PRETTY',
] as const;
type SimulatorSettings = Pick<Settings, (typeof SETTINGS)[number]>;

async function main(): Promise<void> {
  if (process.argv.includes('--help')) {
    process.stdout.write(USAGE);
    return;
  }
  const args = readArguments(process.argv.slice(2));
  const settings = loadSomeSettings(SETTINGS, process.env);
  const secrets = new Secrets(process.env);
  const log = createLogger({
    service: 'derms',
    role: 'simulator',
    level: settings.LOG_LEVEL,
    pretty: settings.LOG_PRETTY,
    secrets: secrets.seen,
  });
  const shutdown = new ShutdownList(log, STOP_WITHIN_MS);
  shutdown.listen();
  const fleet = createFleet({ ...fleetOptions(args, settings, secrets), log });
  const registry = createRegistry('simulator');
  registerCertificateMetrics(registry, certificateFiles(settings));
  registerFleetMetrics(registry, fleet);
  const probes = await startProbeServer({
    port: settings.METRICS_PORT,
    host: settings.METRICS_HOST,
    registry,
    metricsPath: settings.PROMETHEUS_PATH,
    metricsEnabled: settings.PROMETHEUS_ENABLED,
    notReady: () => missing(fleet),
  });
  shutdown.add('probes', probes.close);
  shutdown.add('fleet', () => fleet.stop());
  const where = { mqttHost: settings.MQTT_HOST, mqttPort: settings.MQTT_PORT };
  log.info(
    { ...where, metricsPort: probes.port, devices: fleet.deviceIds.length, feeders: fleet.feederIds.length },
    'simulating',
  );
  await fleet.start();
}

function fleetOptions(
  args: SimulatorArguments,
  settings: SimulatorSettings,
  secrets: Secrets,
): Omit<FleetOptions, 'log'> {
  const { host, port, standby, ...identity } = brokerAccess(settings, secrets);
  const secondary = args.secondary === undefined ? standby : addressOf(args.secondary);
  return {
    registry: registryOf(args),
    simulation: {
      ...(args.seed === undefined ? {} : { seed: args.seed }),
      ...(args.speed === undefined ? {} : { speed: args.speed }),
      ...(args.interval === undefined ? {} : { intervalSeconds: args.interval }),
      ...(args['time-of-day'] === undefined ? {} : { timeOfDay: args['time-of-day'] }),
      ...(args['day-offset'] === undefined ? {} : { day: args['day-offset'] }),
    },
    faults: {
      silent: args.silent,
      disobey: args.disobey,
      clockSkew: args['clock-skew'],
      offline: args.offline,
      fault: args.fault,
    },
    brokers: [{ host, port }, ...(secondary === null ? [] : [secondary])],
    ...identity,
    topicPrefix: settings.MQTT_TOPIC_PREFIX,
    clientId: `derms-simulator-${settings.INSTANCE_ID}`,
  };
}

function registryOf({ registry, devices, feeders = 1 }: SimulatorArguments): RegistryFile {
  if (devices !== undefined) return generateRegistry({ devices, feeders });
  return parseRegistryFile(readFileSync(registry ?? DEFAULT_REGISTRY, 'utf8'));
}

function addressOf(hostAndPort: string): { host: string; port: number } {
  const [host = '', port = ''] = hostAndPort.split(':');
  return { host, port: Number(port) };
}

function missing(fleet: Fleet): string | null {
  const { connections, connectionsUp } = fleet.counts();
  return connectionsUp === connections ? null : `${String(connectionsUp)} of ${String(connections)} connections are up`;
}

/** What the one who typed the command can mend is said without a stack. */
function explain(error: unknown): string {
  if (error instanceof UsageError) return `${error.message}\n\n${USAGE}`;
  if (error instanceof ConfigurationError) return error.message;
  if (error instanceof DermsError) {
    return [error.message, ...error.faults.map(({ pointer, message }) => `  ${pointer} ${message}`)].join('\n');
  }
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

main().catch((error: unknown) => {
  process.stderr.write(`${explain(error)}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
});
