import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Client } from '@temporalio/client';
import { startSealer } from '../audit/sealer';
import { connectToBroker, type BrokerConnection, type BrokerContext, type BrokerOptions } from '../broker/connection';
import { openEmergencyBroker } from '../broker/fleet-stop';
import { brokersOf, type BrokerOfPair } from '../broker/pair';
import { certificateFiles } from '../config/certificates';
import { brokerAccess, databaseAccess, temporalAccess } from '../config/connections';
import { loadSettings } from '../config/load';
import { secretFacts } from '../config/secret-facts';
import { policyNumbers } from '../config/policy';
import type { Settings } from '../config/schema';
import { Secrets } from '../config/secrets';
import { readAuditFigures } from '../db/audit-chain';
import { readLastDrills } from '../db/drill-reports';
import { readDrillSilences } from '../db/drill-silences';
import { readLastDrill } from '../db/restore-drills';
import { schemaFault } from '../db/migrate';
import { keepTellingSecrets } from '../db/keep-telling-secrets';
import { openDatabase, type Database } from '../db/pool';
import { readSecretFacts } from '../db/secret-facts';
import { setpointTtlSeconds } from '../domain/setpoint-life';
import { withFreshness } from '../jobs/runner/freshness-override';
import { loadJobs } from '../jobs/runner/load-jobs';
import { deployedSchedules } from '../jobs/runner/schedules';
import { createLogger, type Logger } from '../observability/logger';
import { readArchiver } from '../db/archiver';
import { BACKUP_KINDS, readBackupTimes } from '../db/backups';
import { createRegistry } from '../observability/metrics';
import { ShutdownList } from '../observability/shutdown';
import { connectLazily } from '../temporal/client-connection';
import { createJobRunStarter } from '../temporal/job-run-starter';
import { createWorkflowStarter } from '../temporal/workflow-starter';
import { registerCertificateMetrics } from '../tls/certificate-metrics';
import { createApp } from './app';
import { registerArchiverMetrics } from './health/archiver-metrics';
import { createRefusalSums } from './audit/refusal-sums';
import { readCredentials } from './auth/credentials';
import { openAuthentication } from './auth/open-authentication';
import { registerAuthMetrics } from './health/auth-metrics';
import { registerAuditMetrics } from './health/audit-metrics';
import { createEmergencyStopPort } from './emergency-stop/adapter';
import { registerBackupMetrics } from './health/backup-metrics';
import { registerDrillMetrics } from './health/drill-metrics';
import { registerDrillSilenceMetrics } from './health/drill-silence-metrics';
import { watchTaskQueues } from './health/task-queue-metrics';
import { registerRestoreMetrics } from './health/restore-metrics';
import { createPlanningTurns } from './planning/turns';
import { createRateLimiter, type RateLimits } from './rate-limit';
import { createReadPlaces } from './read-places';
import { createStreamPlaces } from './stream-places';
import { watchBrokerPair, type BrokerPairWatch } from './health/broker-pair';
import { probeBroker } from './health/broker-probe';
import { registerHealthMetrics } from './health/metrics';
import { createHealthMonitor } from './health/monitor';
import { registerSecretMetrics, watchSecrets } from './health/secret-watch';
import { createRunPort, createSchedulePort, jobsInTemporal, type JobsInTemporal } from './jobs/adapters';
import { keepJobFigures } from './jobs/figures';
import { registerJobMetrics } from './jobs/metrics';
import { runsWithoutRow } from './jobs/read-run';
import { createApiMetrics } from './metrics';
import { closeGracefully } from './close-gracefully';
import { boundConnections } from './connections';
import { createApiServer, type ServerBounds } from './http-server';
import type { WorkflowPort } from './ports';
import { TASK_QUEUES } from '../workflows/messages';
import { quarantinedJobs, quarantinedWorkflows } from './quarantined-workflows';
import { databaseStores, readFleetSample } from './stores';
import { checkTemporal } from './temporal/availability';
import { createWorkflowGateway } from './temporal/workflow-gateway';

/** Of all that the process closes together, ms; it has 10 s. */
const SHUTDOWN_MS = 9_000;
/** A request that takes longer is answered with TIMED_OUT. Above the database's own timeouts. */
const REQUEST_TIMEOUT_MS = 15_000;
const CONFIRM_CANCEL_MS = 5_000;
const PROBE_MS = 1_800;
/** Open event streams: a console has one or two. */
const STREAMS = { perUser: 10, inAll: 200 };
/** A browser sends six requests at a time; in all about three for each connection to Postgres. */
const READS = { perCaller: 6, inAll: 30, mostWaiting: 100, waitMs: 5_000 };
/** A connection on which nothing moves at all; above the longest that a request waits (`Prefer: wait=60`). */
const SILENCE_MS = 120_000;
/** How late a timeout of a connection may be noticed. */
const LOOK_EVERY_MS = 1_000;
/** Eight plans of the largest trees take about as long as one may wait here; the rest of a request's time is for its own. */
const PLANNING = { mostWaiting: 8, waitMs: 5_000 };

async function main(): Promise<void> {
  const settings = loadSettings(process.env);
  const secrets = new Secrets(process.env);
  const credentials = await readCredentials(settings, new Date());
  const log = createLogger({
    service: 'derms',
    role: 'api',
    level: settings.LOG_LEVEL,
    pretty: settings.LOG_PRETTY,
    secrets: secrets.seen,
  });
  const shutdown = new ShutdownList(log, SHUTDOWN_MS);
  shutdown.listen();
  const registry = createRegistry('api');
  const metrics = createApiMetrics(registry);
  registerCertificateMetrics(registry, certificateFiles(settings));
  const silence = {
    staleSeconds: settings.TELEMETRY_STALE_SECONDS,
    offlineSeconds: settings.DEVICE_OFFLINE_SECONDS,
  };

  const db = database(settings, secrets, { log, poolSize: settings.DB_POOL_SIZE });
  shutdown.add('database', db.close);
  // Apart from the pool: requests that fill it must not look like an outage.
  const probes = database(settings, secrets, { log, poolSize: 3, timeoutMs: PROBE_MS });
  shutdown.add('database probes', probes.close);

  const temporal = settings.QUARANTINE ? quarantinedTemporal : openTemporal(settings, secrets, { log, shutdown });
  const monitor = createHealthMonitor(
    {
      dependencies: {
        database: () => probes.query('select 1'),
        broker: () => (brokerProbe === null ? notAsked() : brokerProbe.ask(PROBE_MS)),
        temporal: temporal.check,
      },
      fleet: () => readFleetSample(probes, silence),
      schemaFault: () => schemaFault(probes),
    },
    { log, monotonicMs: () => performance.now(), now: () => new Date() },
  );
  registerBackupMetrics(
    registry,
    () => readBackupTimes(probes),
    BACKUP_KINDS,
    () => performance.now(),
  );
  registerArchiverMetrics(
    registry,
    () => readArchiver(probes),
    () => performance.now(),
  );
  registerRestoreMetrics(
    registry,
    () => readLastDrill(probes),
    () => performance.now(),
  );
  registerDrillMetrics(
    registry,
    () => readLastDrills(probes),
    () => performance.now(),
  );
  registerDrillSilenceMetrics(
    registry,
    () => readDrillSilences(probes),
    () => performance.now(),
  );
  registerAuditMetrics(
    registry,
    () => readAuditFigures(probes),
    () => performance.now(),
  );
  // Before the broker's: the gauge has one owner, who probes.
  registerHealthMetrics(registry, monitor, () => brokerProbe?.unbroken ?? false);
  const brokerOptions = { ...brokerAccess(settings, secrets), clientId: `derms-api-${settings.INSTANCE_ID}` };
  const brokerProbe = settings.QUARANTINE ? null : probeBroker(openBroker(brokerOptions, shutdown, { log, registry }));
  const brokerPair = openBrokerPair(settings.QUARANTINE ? [] : brokersOf(brokerOptions), shutdown, { log });
  await monitor.start();
  shutdown.add('health', () => {
    monitor.stop();
  });

  const jobs = {
    deployment: settings.DEPLOYMENT,
    declared: withFreshness(loadJobs(), settings.JOB_FRESHNESS_HOURS),
    schedules: deployedSchedules(loadJobs(), settings.DEPLOYMENT, settings.JOB_SCHEDULES),
    figures: () => figures.read(),
  };
  const runs = createRunPort(db, temporal.jobs);
  const figures = keepJobFigures(probes, [...jobs.declared.keys()], () => runsWithoutRow({ runs }));
  await figures.first;
  shutdown.add('job figures', () => {
    figures.stop();
  });
  registerJobMetrics(registry, jobs);
  const taskQueues = watchTaskQueues(registry, [TASK_QUEUES.control, TASK_QUEUES.jobs], (queue) =>
    temporal.jobs.queues.queueState(queue),
  );
  await taskQueues.first;
  shutdown.add('task queues', () => {
    taskQueues.stop();
  });

  const { authentication, tokenRegister } = openAuthentication({
    credentials,
    probes,
    writes: !settings.QUARANTINE,
    isDatabaseUp: () => monitor.dependency('database').up,
    onTokenRefused: (reason) => {
      metrics.tokensRefused.inc({ reason });
    },
    log,
  });
  await tokenRegister.start();
  shutdown.add('token register', () => {
    tokenRegister.stop();
  });
  registerAuthMetrics(registry, { authentication, tokenRegister });
  const passwordsSetOn = authentication.passwords().oldestSetOn;
  if (!settings.QUARANTINE) {
    const teller = keepTellingSecrets(probes, {
      toldBy: `api-${settings.INSTANCE_ID}`,
      facts: () => [
        ...secretFacts(settings, new Date()),
        { kind: 'secret', name: 'AUTH_USERS', madeOn: passwordsSetOn, expiresAtMs: null, fault: null },
      ],
      log,
    });
    shutdown.add('ages of secrets', () => teller.stop());
  }
  const secretWatch = watchSecrets(() => readSecretFacts(probes));
  shutdown.add('watch on secrets', () => {
    secretWatch.stop();
  });
  registerSecretMetrics(registry, secretWatch);

  const stores = databaseStores(db, {
    silence,
    defaultIntervalSeconds: settings.CONTROL_INTERVAL_SECONDS,
    policy: { ...policyNumbers(settings), setpointTtlSeconds },
  });
  const refusals = createRefusalSums({
    ...{
      append: (actor, entry) => stores.audit.append(actor, entry),
      failures: metrics.auditFailures,
      log,
      now: () => new Date(),
    },
  });
  if (!settings.QUARANTINE) {
    // Where nearly all entries are written; the jobs role may rest. Without a key: the jobs role signs. A connection of its own,
    // so that neither requests nor a stop wait for it.
    const sealing = database(settings, secrets, { log, poolSize: 1, timeoutMs: PROBE_MS });
    shutdown.add('database sealing', sealing.close);
    const sealer = startSealer(sealing, { keyRing: null, log, registry });
    shutdown.add('audit sealer', () => sealer.stop());
  }
  shutdown.add('sums of refused attempts', () => refusals.stop());
  const app = createApp({
    log,
    metrics,
    settings: {
      quarantined: settings.QUARANTINE,
      issuer: credentials.issuer,
      trustedProxies: settings.TRUST_PROXY,
      corsOrigins: settings.CORS_ORIGINS,
      staleSeconds: settings.TELEMETRY_STALE_SECONDS,
      temporalUiUrl: settings.TEMPORAL_UI_URL ?? null,
      temporalNamespace: settings.TEMPORAL_NAMESPACE,
      metricsPath: settings.PROMETHEUS_PATH,
      metricsEnabled: settings.PROMETHEUS_ENABLED,
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
      confirmCancelWithinMs: CONFIRM_CANCEL_MS,
      checkAnswers: settings.NODE_ENV === 'test',
    },
    authentication,
    tokenRegister,
    health: monitor,
    secrets: secretWatch,
    brokerPair,
    stopping: () => shutdown.stopping,
    ...stores,
    refusals,
    jobs,
    runs,
    schedules: createSchedulePort(db, temporal.jobs),
    rateLimiter: createRateLimiter(rateLimits(settings), { refused: metrics.rateLimited, log }),
    readPlaces: createReadPlaces(READS),
    streams: createStreamPlaces(STREAMS),
    planning: createPlanningTurns(PLANNING),
    workflows: temporal.workflows,
    emergencyStop: createEmergencyStopPort({
      ...{ db, log },
      broker: openEmergencyBroker({ ...brokerOptions, prefix: settings.MQTT_TOPIC_PREFIX }, log),
    }),
  });
  const server = createApiServer(app, pairOf(settings), { log, bounds: serverBounds(settings) });
  boundConnections(
    server,
    { most: settings.API_MAX_CONNECTIONS, slowReaderMs: settings.API_SLOW_READER_MS, silenceMs: SILENCE_MS },
    { registry },
  );
  const port = await listen(server, settings);
  shutdown.add('http', () => closeGracefully(server));
  log.info(
    {
      host: settings.API_HOST,
      port,
      tls: settings.TLS_ENABLED,
      dbHost: settings.DB_HOST,
      mqttHost: settings.MQTT_HOST,
      mqttPort: settings.MQTT_PORT,
      ...(settings.QUARANTINE ? { quarantined: true } : {}),
    },
    'listening',
  );
}

interface Temporal {
  readonly check: () => Promise<void>;
  readonly workflows: WorkflowPort;
  readonly jobs: JobsInTemporal;
}

function openTemporal(
  settings: Settings,
  secrets: Secrets,
  { log, shutdown }: { log: Logger; shutdown: ShutdownList },
): Temporal {
  const connection = connectLazily(temporalAccess(settings, secrets), { log });
  shutdown.add('Temporal', () => connection.close());
  const client = new Client({ connection, namespace: settings.TEMPORAL_NAMESPACE });
  return {
    check: () => checkTemporal(connection, PROBE_MS),
    workflows: createWorkflowGateway(connection, client, {
      ...createWorkflowStarter(client),
      ...createJobRunStarter(client),
    }),
    jobs: jobsInTemporal(client),
  };
}

const notAsked = (): Promise<never> => Promise.reject(new Error('not asked: this process is quarantined'));
const quarantinedTemporal: Temporal = {
  check: notAsked,
  workflows: quarantinedWorkflows,
  jobs: quarantinedJobs,
};

function openBroker(options: BrokerOptions, shutdown: ShutdownList, context: BrokerContext): BrokerConnection {
  const broker = connectToBroker(options, {}, context);
  shutdown.add('broker', () => broker.close());
  return broker;
}

/** The probe is at one of two brokers and does not miss the other. */
function openBrokerPair(
  brokers: readonly BrokerOfPair[],
  shutdown: ShutdownList,
  context: BrokerContext,
): BrokerPairWatch {
  if (brokers.length < 2) return watchBrokerPair([]);
  return watchBrokerPair(
    brokers.map((broker) => ({
      place: broker.place,
      connection: openBroker({ ...broker, clientId: `${broker.clientId}-watch` }, shutdown, context),
    })),
  );
}

const database = (
  settings: Settings,
  secrets: Secrets,
  { log, poolSize, timeoutMs }: { readonly log: Logger; readonly poolSize: number; readonly timeoutMs?: number },
): Database =>
  openDatabase(
    {
      ...databaseAccess(settings, secrets),
      poolSize,
      connectTimeoutMs: timeoutMs ?? settings.DB_CONNECT_TIMEOUT_MS,
      queryTimeoutMs: timeoutMs ?? settings.DB_QUERY_TIMEOUT_MS,
      applicationName: 'derms-api',
    },
    log,
  );

/** The settings have been checked: with TLS both paths are there. */
const pairOf = ({ TLS_ENABLED: enabled, TLS_CERT_PATH: certPath, TLS_KEY_PATH: keyPath }: Settings) =>
  enabled && certPath !== undefined && keyPath !== undefined ? { certPath, keyPath } : null;

const serverBounds = (settings: Settings): ServerBounds => ({
  headersTimeout: settings.API_HEADERS_TIMEOUT_MS,
  requestTimeout: Math.max(settings.API_HEADERS_TIMEOUT_MS, settings.API_RECEIVE_TIMEOUT_MS),
  keepAliveTimeout: settings.API_KEEP_ALIVE_MS,
  maxHeaderSize: settings.API_MAX_HEADER_BYTES,
  connectionsCheckingInterval: LOOK_EVERY_MS,
});

const rateLimits = (settings: Settings): RateLimits => ({
  reads: settings.API_RATE_READS,
  changes: settings.API_RATE_CHANGES,
  strangers: settings.API_RATE_STRANGERS,
});

async function listen(server: Server, { API_HOST, API_PORT }: Settings): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(API_PORT, API_HOST, resolve);
  });
  return (server.address() as AddressInfo).port; // listening on TCP: never a string or null
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
