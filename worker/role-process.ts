import { certificateFiles } from '../config/certificates';
import { databaseAccess } from '../config/connections';
import { loadSettings, loadSomeSettings } from '../config/load';
import { secretFacts } from '../config/secret-facts';
import { Secrets } from '../config/secrets';
import type { SettingName, Settings } from '../config/schema';
import { keepTellingSecrets, type SecretTeller } from '../db/keep-telling-secrets';
import { openDatabase, type Database } from '../db/pool';
import { untilSchemaIsOurs } from './await-schema';
import { createLogger, type Logger } from '../observability/logger';
import { createRegistry, type Registry } from '../observability/metrics';
import { startProbeServer } from '../observability/probe-server';
import { ShutdownList } from '../observability/shutdown';
import { registerCertificateMetrics } from '../tls/certificate-metrics';

/** Below the ten seconds that an orchestrator gives; the parent kills a role at nine, ms. */
const STOP_WITHIN_MS = 8_500;

/** `Name`: the settings it was told, for most roles all. */
export interface RoleProcess<Name extends SettingName = SettingName> {
  readonly settings: Pick<Settings, Name>;
  readonly secrets: Secrets;
  readonly log: Logger;
  readonly registry: Registry;
  readonly shutdown: ShutdownList;
  /** What keeps the role from being ready, each until it is deleted. */
  readonly missing: Set<string>;
}

/** What every role begins with: settings, log, metrics and probes that answer from the first moment, orderly end. */
export function beginRole(role: string): Promise<RoleProcess> {
  return begin(role, loadSettings(process.env));
}

/** The same for a role that is told only some of the settings and requires no other. */
export function beginRoleWith<Name extends SettingName>(
  role: string,
  names: readonly (Name | BasicSetting)[],
): Promise<RoleProcess<Name | BasicSetting>> {
  return begin(role, loadSomeSettings(names, process.env));
}

type BasicSetting =
  | 'LOG_LEVEL'
  | 'LOG_PRETTY'
  | 'METRICS_HOST'
  | 'METRICS_PORT'
  | 'PROMETHEUS_ENABLED'
  | 'PROMETHEUS_PATH'
  | 'TEMPORAL_ADDRESS';
type Whereabouts = 'DB_HOST' | 'MQTT_HOST' | 'MQTT_PORT';
type Certificates = Parameters<typeof certificateFiles>[0];

async function begin<Name extends SettingName>(
  role: string,
  settings: Pick<Settings, Name | BasicSetting> & Partial<Pick<Settings, Whereabouts>> & Certificates,
): Promise<RoleProcess<Name | BasicSetting>> {
  const secrets = new Secrets(process.env);
  const log = createLogger({
    service: 'derms',
    role,
    level: settings.LOG_LEVEL,
    pretty: settings.LOG_PRETTY,
    secrets: secrets.seen,
  });
  const shutdown = new ShutdownList(log, STOP_WITHIN_MS);
  shutdown.listen();
  const registry = createRegistry(role);
  registerCertificateMetrics(registry, certificateFiles(settings));
  const missing = new Set<string>();
  const probes = await startProbeServer({
    host: settings.METRICS_HOST,
    port: settings.METRICS_PORT,
    registry,
    metricsPath: settings.PROMETHEUS_PATH,
    metricsEnabled: settings.PROMETHEUS_ENABLED,
    notReady: () => (shutdown.stopping ? 'stopping' : ([...missing][0] ?? null)),
  });
  shutdown.add('probes', probes.close);
  log.info(
    {
      metricsPort: probes.port,
      dbHost: settings.DB_HOST,
      mqttHost: settings.MQTT_HOST,
      mqttPort: settings.MQTT_PORT,
      temporalAddress: settings.TEMPORAL_ADDRESS,
    },
    'starting',
  );
  return { settings, secrets, log, registry, shutdown, missing };
}

/** Opens the role's pool and waits until the schema is this program's. */
export async function openRoleDatabase(process: RoleProcess, role: string): Promise<Database> {
  const { settings, secrets, log, shutdown, missing } = process;
  const db = openDatabase(
    {
      ...databaseAccess(settings, secrets),
      poolSize: settings.DB_POOL_SIZE,
      queryTimeoutMs: settings.DB_QUERY_TIMEOUT_MS,
      applicationName: `derms-${role}-${settings.INSTANCE_ID}`,
    },
    log,
  );
  shutdown.add('database', db.close);
  missing.add('schema');
  await untilSchemaIsOurs(db, log);
  missing.delete('schema');
  return db;
}

/** Tells the database how old this role's secrets are. */
export function tellSecrets({ settings, log, shutdown }: RoleProcess, role: string, db: Database): SecretTeller {
  const teller = keepTellingSecrets(db, {
    toldBy: `${role}-${settings.INSTANCE_ID}`,
    facts: () => secretFacts(settings, new Date()),
    log,
  });
  shutdown.add('ages of secrets', () => teller.stop());
  return teller;
}

/** Starts a role's program; what it cannot survive ends the process, and the parent starts it again. */
export function runRole(main: () => Promise<void>): void {
  main().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(1);
  });
}
