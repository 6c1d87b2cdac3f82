import { z } from 'zod';
import { LEAST_SECRET_LENGTH } from './secret-strength';

/**
 * Every setting of every process: name, type, default, one sentence. `docs/configuration.md` is generated from here.
 * Secrets have no default and may also come from a file (`NAME_FILE`).
 */
const port = () => z.coerce.number().int().min(0).max(65_535);
const wholeNumber = (min: number, max: number) => z.coerce.number().int().min(min).max(max);
const decimal = (min: number, max: number) => z.coerce.number().min(min).max(max);
const json = <Schema extends z.ZodType>(schema: Schema) =>
  z
    .string()
    .transform((text, context) => {
      try {
        return JSON.parse(text) as unknown;
      } catch {
        context.addIssue({ code: 'custom', message: 'is not JSON' });
        return z.NEVER;
      }
    })
    .pipe(schema);
const brokerName = () => z.string().regex(/^[A-Za-z0-9._-]{1,64}$/);
const secret = () => z.string().min(LEAST_SECRET_LENGTH);
const list = () => z.string().transform((text) => text.split(',').map((item) => item.trim()));
const proxies = () =>
  list().pipe(
    z.array(
      z
        .union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()], 'is no address and no CIDR range')
        .refine((range) => !range.endsWith('/0'), 'is everybody: name the proxies'),
    ),
  );
const nodes = () =>
  list().pipe(
    z.array(
      z
        .string()
        .regex(/^[\w-]+=[^=\s]+:\d+$/, 'is not name=host:port')
        .transform((text) => {
          const [, name = '', host = '', port = ''] = /^([\w-]+)=(.+):(\d+)$/.exec(text) ?? [];
          return { name, host, port: Number(port) };
        }),
    ),
  );
/** As browsers send them: no path, no slash at the end, no port that goes without saying. */
const origins = () =>
  list().pipe(z.array(z.url({ protocol: /^https?$/ }).refine((text) => isOrigin(text), 'is no origin (https://host)')));
const isOrigin = (text: string): boolean => new URL(text).origin === text;
const path = () => z.string().min(1).optional();
const postgresUrl = () =>
  z.url({ protocol: /^postgres(ql)?$/, error: 'is no postgres://user:password@host:port/database' });
const flag = () => z.enum(['true', 'false']).transform((value) => value === 'true');

export const settings = {
  NODE_ENV: z
    .enum(['development', 'test', 'production'])
    .default('development')
    .describe('Kind of environment; production refuses insecure settings.'),
  DEPLOYMENT: z
    .enum(['development', 'staging', 'production'])
    .default('development')
    .describe('What this system is for; some jobs run by themselves only in some kinds.'),
  INSTANCE_ID: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/)
    .default('0')
    .describe('Name of this replica, stable across restarts; part of MQTT client ids.'),

  QUARANTINE: flag()
    .default(false)
    .describe(
      'true: the API knows no broker and no Temporal, calls nobody but PostgreSQL and refuses every write; to look at a restored copy.',
    ),

  DB_HOST: z.string().min(1).default('127.0.0.1').describe('PostgreSQL host, or its pooler.'),
  DB_PORT: port().default(5432).describe('PostgreSQL port.'),
  DB_NAME: z.string().min(1).default('derms').describe('Database name.'),
  DB_USER: z.string().min(1).default('derms_app').describe('Role of the application.'),
  DB_PASSWORD: z.string().min(1).describe('Password of DB_USER.'),
  DB_DIRECT_HOST: z
    .string()
    .min(1)
    .optional()
    .describe('PostgreSQL host without a pooler in between, for migrations; default DB_HOST.'),
  DB_DIRECT_PORT: port().optional().describe('Port at DB_DIRECT_HOST; default DB_PORT.'),
  DB_ADMIN_USER: z.string().min(1).optional().describe('Role that owns the schema; used by migrations only.'),
  DB_ADMIN_PASSWORD: z.string().min(1).optional().describe('Password of DB_ADMIN_USER.'),
  BACKUP_DB_USER: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Role that backups read the database as, at DB_DIRECT_HOST; made by the migrations when they have its password.',
    ),
  BACKUP_DB_PASSWORD: z.string().min(1).optional().describe('Password of BACKUP_DB_USER.'),
  DB_SSLMODE: z
    .enum(['disable', 'require', 'verify-full'])
    .default('disable')
    .describe(
      "How PostgreSQL is reached: in plain, encrypted without looking at its certificate, or with certificate and host name checked. Production needs verify-full unless the server is on this machine's loopback.",
    ),
  DB_SSL_CA_PATH: path().describe(
    "PEM file of the authorities that PostgreSQL's certificate may come from; default Node's own.",
  ),
  DB_SSL_CERT_PATH: path().describe('PEM file of our certificate for PostgreSQL, where it asks for one.'),
  DB_SSL_KEY_PATH: path().describe('PEM file of the key of DB_SSL_CERT_PATH.'),
  DB_POOL_SIZE: wholeNumber(1, 100).default(10).describe('Most connections of one process.'),
  DB_CONNECT_TIMEOUT_MS: wholeNumber(100, 60_000).default(2_000).describe('Longest wait for a connection, ms.'),
  DB_QUERY_TIMEOUT_MS: wholeNumber(100, 600_000)
    .default(10_000)
    .describe('Longest wait for a query, ms; single queries may set less.'),

  PRIMARY_CHECK_NODES: nodes()
    .optional()
    .describe(
      'PostgreSQL nodes that `db/primary-check-main.js` watches: name=host:port with commas between; it logs in as DB_USER.',
    ),
  PRIMARY_CHECK_HOST: z.string().min(1).default('127.0.0.1').describe('Address that the primary check listens on.'),
  PRIMARY_CHECK_PORT: port()
    .default(8008)
    .describe('Its port for the first node; the others take the following ports.'),
  PRIMARY_CHECK_FILE: path().describe(
    'File in which it remembers the newest timeline and its primary; must outlive its restart.',
  ),

  MQTT_HOST: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe('Broker host; the name is resolved anew at each reconnect.'),
  MQTT_PORT: port().default(1883).describe('Broker port; that of deploy/mosquitto for our processes is 8884.'),
  MQTT_STANDBY_HOST: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Host of a second broker with the same users. What must not miss anything is connected to both at all times (docs/runbooks/mqtt-failover.md).',
    ),
  MQTT_STANDBY_PORT: port().optional().describe('Port at MQTT_STANDBY_HOST; default MQTT_PORT.'),
  MQTT_USERNAME: z.string().min(1).optional().describe('Broker user, at both brokers.'),
  MQTT_PASSWORD: z.string().min(1).optional().describe('Password of MQTT_USERNAME.'),
  MQTT_TLS_ENABLED: flag().default(false).describe('true: MQTT over TLS. Production refuses a plain connection.'),
  MQTT_TLS_CA_PATH: path().describe(
    "PEM file of the authorities that the broker's certificate may come from; default Node's own.",
  ),
  MQTT_TLS_CERT_PATH: path().describe('PEM file of our certificate for the broker, where it asks for one.'),
  MQTT_TLS_KEY_PATH: path().describe('PEM file of the key of MQTT_TLS_CERT_PATH.'),
  MQTT_TLS_SERVER_NAME: z
    .string()
    .min(1)
    .optional()
    .describe("Host name that the broker's certificate must carry; default the host that is connected to."),
  MQTT_TLS_REJECT_UNAUTHORIZED: flag()
    .default(true)
    .describe("false: the broker's certificate is not checked; for a workbench only, production refuses it."),
  MQTT_TOPIC_PREFIX: z
    .string()
    .regex(/^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/)
    .default('der')
    .describe('First levels of every topic.'),
  MQTT_MAX_PAYLOAD_BYTES: wholeNumber(256, 1_048_576).default(16_384).describe('Larger messages are refused.'),

  TEMPORAL_ADDRESS: z.string().min(1).default('127.0.0.1:7233').describe('Temporal frontend, host:port.'),
  TEMPORAL_NAMESPACE: z.string().min(1).default('derms').describe('Temporal namespace.'),
  TEMPORAL_TLS_ENABLED: flag()
    .default(false)
    .describe(
      "true: TLS to Temporal, certificate and host name checked. Production needs it unless the server is on this machine's loopback.",
    ),
  TEMPORAL_TLS_CA_PATH: path().describe(
    "PEM file of the authorities that Temporal's certificate may come from; default the system's.",
  ),
  TEMPORAL_TLS_CERT_PATH: path().describe('PEM file of our certificate for Temporal (mTLS).'),
  TEMPORAL_TLS_KEY_PATH: path().describe('PEM file of the key of TEMPORAL_TLS_CERT_PATH.'),
  TEMPORAL_TLS_SERVER_NAME: z
    .string()
    .min(1)
    .optional()
    .describe("Host name that Temporal's certificate must carry; default the host of TEMPORAL_ADDRESS."),
  TEMPORAL_API_KEY: z.string().min(1).optional().describe('API key for Temporal; only over TLS.'),
  TEMPORAL_UI_URL: z.url().optional().describe('Base of links to Temporal UI in answers; none when unset.'),
  TEMPORAL_METRICS_PORT: port()
    .default(9469)
    .describe("Port of the Temporal SDK's own metrics; roles of one worker take the following ports."),
  TEMPORAL_MAX_CACHED_WORKFLOWS: wholeNumber(0, 100_000)
    .default(1_000)
    .describe('Workflows kept in memory by a control worker; above the number of feeder trees.'),

  WORKER_ROLES: z
    .string()
    .default('control,jobs,ingest')
    .transform((value) => value.split(',').map((role) => role.trim()))
    .pipe(z.array(z.enum(['control', 'jobs', 'ingest', 'broker-agent'])).min(1))
    .describe('Roles this worker runs, each in a process of its own.'),
  METRICS_HOST: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe('Address that metrics and probes of workers listen on.'),
  METRICS_PORT: port()
    .default(9464)
    .describe(
      'Port of metrics and probes; the roles of one worker (control, jobs, ingest, broker-agent) take the four ports after it. The API serves them on API_PORT.',
    ),
  PROMETHEUS_ENABLED: flag().default(true).describe('false: the metrics path answers 404.'),
  PROMETHEUS_PATH: z
    .string()
    .regex(/^\/[\w/-]+$/)
    .default('/metrics')
    .describe('Path of the metrics.'),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .default('info')
    .describe('Least severity that is logged.'),
  LOG_PRETTY: flag().default(false).describe('true: logs for eyes instead of JSON.'),

  API_HOST: z.string().min(1).default('127.0.0.1').describe('Address the API listens on.'),
  API_PORT: port().default(8080).describe('Port of the API.'),
  TLS_ENABLED: flag().default(false).describe('true: the API speaks HTTPS only (TLS 1.2 or newer), never plain HTTP.'),
  TLS_CERT_PATH: path().describe(
    "PEM file of the API's certificate, then those between it and the authority; read anew when it changes.",
  ),
  TLS_KEY_PATH: path().describe('PEM file of the key of TLS_CERT_PATH.'),
  API_HEADERS_TIMEOUT_MS: wholeNumber(500, 120_000)
    .default(10_000)
    .describe('A connection whose request has not sent all its headers by then is closed, ms.'),
  API_RECEIVE_TIMEOUT_MS: wholeNumber(500, 600_000)
    .default(30_000)
    .describe('The same for the whole request, its body included, ms.'),
  API_KEEP_ALIVE_MS: wholeNumber(1_000, 600_000)
    .default(65_000)
    .describe(
      'An idle connection is kept for this, ms; longer than a load balancer keeps its own, which must be the one that hangs up.',
    ),
  API_SLOW_READER_MS: wholeNumber(500, 600_000)
    .default(30_000)
    .describe('A caller that takes nothing of its answer for this long is hung up on, event streams included, ms.'),
  API_MAX_HEADER_BYTES: wholeNumber(4_096, 131_072)
    .default(16_384)
    .describe('Longest first line and headers of a request, together.'),
  API_MAX_CONNECTIONS: wholeNumber(10, 100_000)
    .default(5_000)
    .describe(
      'Most connections at a time; whoever comes then takes the place of the one that has been idle for longest. Each takes a file descriptor.',
    ),
  API_RATE_READS: wholeNumber(1, 1_000_000)
    .default(600)
    .describe('Most requests in 10 s that one caller may read with; each replica counts for itself.'),
  API_RATE_CHANGES: wholeNumber(1, 1_000_000)
    .default(200)
    .describe('Most requests in 10 s that one caller may act with; an emergency stop is never counted.'),
  API_RATE_STRANGERS: wholeNumber(1, 1_000_000)
    .default(300)
    .describe('Most requests in 10 s from one address without a good token; probes and metrics are never counted.'),
  TRUST_PROXY: proxies()
    .default([])
    .describe(
      'Proxies in front of the API whose X-Forwarded-For is believed: addresses or CIDR ranges with commas between; default none. Without it limits, audit and logs have the address of the proxy, with a range too wide anybody may claim any.',
    ),
  CORS_ORIGINS: origins()
    .default([])
    .describe(
      'Pages of other hosts whose scripts may read answers: origins such as https://grid.example; default none.',
    ),
  JWT_SECRET: secret()
    .optional()
    .describe(
      'Signs access tokens (HS256); at least 32 drawn characters (openssl rand -base64 48), a value of its own in each environment. Required by the API.',
    ),
  JWT_SECRET_PREVIOUS: secret()
    .optional()
    .describe('A second secret whose tokens are accepted while JWT_SECRET is being replaced.'),
  JWT_TTL_SECONDS: wholeNumber(60, 43_200)
    .default(3_600)
    .describe('Life of an access token, s; then people log in again.'),
  AUTH_USERS: z
    .string()
    .optional()
    .describe(
      'Who may log in: JSON list of {"user","role","passwordSetOn","hash"}; `npm run auth:hash -- --user U --role R` makes an entry. Required by the API.',
    ),

  DERMS_API_URL: z.url().default('http://127.0.0.1:8080').describe('Where the command line finds the API.'),
  DERMS_USER: z.string().min(1).optional().describe('Who the command line logs in as.'),
  DERMS_PASSWORD: z.string().min(1).optional().describe('Password of DERMS_USER.'),
  DERMS_TOKEN: z
    .string()
    .min(1)
    .optional()
    .describe('A machine token that the command line sends instead of logging in; for CronJobs.'),

  SECRETS_DATES_FILE: path().describe(
    'JSON file of when each secret was made, by name ({"DB_PASSWORD":"2026-10-01"}); never the secrets. `secrets-check` tells how old they are.',
  ),

  JOBS_MAX_CONCURRENT: wholeNumber(1, 100).default(4).describe('Most steps of jobs that one jobs role runs at a time.'),
  JOB_SCHEDULES: json(z.record(z.string(), z.string()))
    .default({})
    .describe(
      'When jobs run by themselves, where it differs from what they declare: JSON of job name to a cron expression (five fields, UTC) or "off".',
    ),
  JOB_FRESHNESS_HOURS: json(z.record(z.string(), z.number().positive()))
    .default({})
    .describe(
      'Within how many hours a job has to succeed, where it differs from what it declares: JSON of job name to hours. Goes with JOB_SCHEDULES.',
    ),

  CONTROL_INTERVAL_SECONDS: wholeNumber(2, 600).default(10).describe('Interval of the control loop of new feeders, s.'),
  DEFAULT_FEEDER_ID: z
    .string()
    .regex(/^[A-Za-z0-9._:-]{1,128}$/)
    .default('default')
    .describe('Feeder of devices that name none.'),
  DEFAULT_FEEDER_LIMIT_KW: decimal(0, 1e6)
    .default(100)
    .describe('Import and export limit of feeders first seen on the wire, kW.'),
  MAX_AUTO_FEEDERS: wholeNumber(0, 100_000).default(100).describe('Most feeders that the wire may add.'),
  MAX_AUTO_DEVICES: wholeNumber(0, 10_000_000).default(20_000).describe('Most devices that the wire may add.'),
  TELEMETRY_STALE_SECONDS: wholeNumber(1, 3_600).default(30).describe('Older readings are stale, s.'),
  DEVICE_OFFLINE_SECONDS: wholeNumber(1, 86_400).default(180).describe('A device silent for longer is offline, s.'),
  TELEMETRY_RETENTION_DAYS: wholeNumber(1, 3_650)
    .default(30)
    .describe('Raw telemetry older than this is refused and removed, days.'),
  DEADBAND_KW: decimal(0, 1_000)
    .default(0.1)
    .describe('Smaller changes of a setpoint are not sent when every limit still holds, kW.'),
  FOLLOWING_TOLERANCE_KW: decimal(0, 1_000)
    .default(0.5)
    .describe('A device further off its setpoint does not follow, kW.'),
  FOLLOWING_TOLERANCE_SHARE: decimal(0, 1)
    .default(0.05)
    .describe('The same as a share of its rating; the larger counts.'),
  DEVICE_SETTLE_SECONDS: decimal(0, 60)
    .default(5)
    .describe(
      'A device has reached a new setpoint after this, s; until then its reading and a meter above it may not fit together.',
    ),
  NOT_FOLLOWING_AFTER_CYCLES: wholeNumber(1, 100)
    .default(3)
    .describe('Cycles in a row off its setpoint after which a device does not follow; one or two are a late sample.'),
  NOT_FOLLOWING_RETRY_SECONDS: wholeNumber(10, 86_400)
    .default(300)
    .describe('A device that did not follow is tried again after this, s.'),

  HELD_WITHIN_SHARE: decimal(0, 0.5)
    .default(0.02)
    .describe(
      'A device this close to its cap or allowance is held by it, as a share of its rating; about what an inverter measures wrong (class 2).',
    ),
  GROWTH_SHARE: decimal(0, 1)
    .default(0.1)
    .describe(
      'A device below its cap or allowance may use this much more before the next cycle, as a share of its rating; PV ramps under passing clouds stay mostly below 1 % of rating a second.',
    ),
  EV_ROTATION_SECONDS: wholeNumber(10, 86_400)
    .default(900)
    .describe(
      'Longest that an EV waits for its turn while others charge, s; a quarter of an hour, what energy is settled by.',
    ),
  EV_WAIT_LEAST_SECONDS: wholeNumber(0, 3_600)
    .default(60)
    .describe('An EV that was told to wait starts again after this at the earliest, s; spares contactors and cars.'),
  EV_URGENCY_MOST: decimal(1, 100)
    .default(2)
    .describe(
      'An empty EV counts as many times as one at its target soc when headroom is shared; 1: the soc plays no part. A choice of policy.',
    ),

  INGEST_SHARED: flag()
    .default(false)
    .describe(
      'true: several ingest processes share the messages ($share/derms-ingest); needs a broker that keeps shared subscriptions over its restart.',
    ),
  INGEST_BATCH_ROWS: wholeNumber(1, 20_000).default(2_000).describe('Most messages committed at once.'),
  INGEST_BATCH_WAIT_MS: wholeNumber(1, 1_000).default(20).describe('Longest wait for a batch to fill, ms.'),
  INGEST_DEVICE_BURST: wholeNumber(10, 10_000_000)
    .default(20_000)
    .describe(
      'Messages that one device may send at once, such as what it kept while it was cut off: a day of samples every 5 s is 17,280. Of a device over it only the rate below is taken.',
    ),
  INGEST_DEVICE_PER_SECOND: decimal(0.1, 100_000)
    .default(20)
    .describe('Messages a second that one device may send for ever; what is over it is refused and counted.'),
  INGEST_SESSION_EXPIRY_SECONDS: wholeNumber(60, 604_800)
    .default(14_400)
    .describe('How long the broker keeps the queue of an ingest process that is away, s.'),

  BACKUP_STORAGE: z
    .url({ protocol: /^(file|s3)$/, error: 'is neither file:///path nor s3://bucket/prefix' })
    .optional()
    .describe('Where backups lie: file:///path or s3://bucket/prefix.'),
  BACKUP_ENCRYPTION_KEYS: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Key ring of the backups: id:base64 of 32 bytes, one a line or with commas between; the first encrypts, all decrypt. `npm run derms -- backup-key` makes one.',
    ),
  BACKUP_KEEP_DAYS: wholeNumber(1, 3_650)
    .default(30)
    .describe('Dumps are kept for this, days; never fewer than 7 daily and 4 weekly verified ones.'),
  BACKUP_KEEP_BASE: wholeNumber(1, 1_000).default(4).describe('Base backups that are kept, verified ones.'),
  BACKUP_S3_ENDPOINT: z.url().optional().describe("Address of a bucket's server that is not Amazon's."),
  BACKUP_S3_REGION: z.string().min(1).default('us-east-1').describe('Region of the bucket.'),
  BACKUP_S3_FORCE_PATH_STYLE: flag()
    .default(false)
    .describe('true: the bucket is part of the path instead of the host name; most other servers want it.'),
  BACKUP_S3_SSE: z
    .enum(['none', 'AES256', 'aws:kms'])
    .default('none')
    .describe('How the server encrypts what we have encrypted already; none leaves it to the bucket.'),
  BACKUP_S3_SSE_KMS_KEY_ID: z.string().min(1).optional().describe('Key of aws:kms; default the one of the bucket.'),
  BACKUP_S3_ACCESS_KEY_ID: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Access key of the bucket; default the AWS SDK's own chain (environment, profile, web identity, instance).",
    ),
  BACKUP_S3_SECRET_ACCESS_KEY: z.string().min(1).optional().describe('Secret of BACKUP_S3_ACCESS_KEY_ID.'),
  BACKUP_S3_PART_MIB: wholeNumber(5, 512)
    .default(16)
    .describe('Size of the parts of an upload, MiB; 10,000 of them are the largest backup, 156 GiB by default.'),
  BACKUP_S3_PARTS_IN_FLIGHT: wholeNumber(1, 32)
    .default(4)
    .describe('Parts sent at once; each takes its size in memory.'),
  BACKUP_S3_IDLE_TIMEOUT_MS: wholeNumber(500, 600_000)
    .default(60_000)
    .describe('A connection on which nothing moves for this long is ended, and the request sent again, ms.'),
  BACKUP_SILENCE_TIMEOUT_MS: wholeNumber(1_000, 21_600_000)
    .default(120_000)
    .describe(
      'A program of a backup or restore that moves no byte for this long, while the server does not work for it either, is ended and the attempt fails, ms; the same for a server that does not answer.',
    ),

  POSTGRES_BIN_DIR: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Folder of PostgreSQL's programs (pg_dump, pg_restore …), not older than the server; default the newest found.",
    ),
  POSTGRES_LIBRARY_PATH: z
    .string()
    .min(1)
    .optional()
    .describe('Folder of their libraries (LD_LIBRARY_PATH), when they lie in one of their own.'),
  ZSTD_PATH: z.string().min(1).optional().describe('The program zstd; default the one of PATH.'),
  ZSTD_LIBRARY_PATH: z
    .string()
    .min(1)
    .optional()
    .describe('Folder of its libraries, when they lie in one of their own.'),
  BROKER_NAME: brokerName()
    .default('local')
    .describe('Name of the broker whose store this process reaches by BROKER_STORE_PATH; its agent takes work by it.'),
  BROKER_STORE_PATH: z
    .string()
    .min(1)
    .optional()
    .describe("Path of the broker's persistence store (mosquitto.db), where it runs on this machine or beside us."),
  BROKER_PID_FILE: z.string().min(1).optional().describe("The broker's `pid_file`; it is asked to save by a signal."),
  BROKER_PID: wholeNumber(2, 4_194_304).optional().describe('Process id of the broker, instead of BROKER_PID_FILE.'),
  BROKER_LOG_PATH: z
    .string()
    .min(1)
    .optional()
    .describe(
      "The broker's log (`log_dest file`), which its agent reads and keeps short: clients that were turned away are counted by name.",
    ),
  MQTT_BACKUP_BROKERS: z
    .string()
    .default('local')
    .transform((value) => value.split(',').map((name) => name.trim()))
    .pipe(z.array(brokerName()).min(1))
    .describe(
      'Brokers whose stores are backed up, with commas between: names of brokers with an agent beside them, or `local` for the one at BROKER_STORE_PATH.',
    ),
  MQTT_BACKUP_KEEP_DAYS: wholeNumber(1, 3_650)
    .default(14)
    .describe("Copies of brokers' stores are kept for this, days; the newest proven one for ever."),
  MOSQUITTO_PATH: z
    .string()
    .min(1)
    .optional()
    .describe('The program that copies are proven with; default the `mosquitto` of PATH or of the usual folders.'),
  MOSQUITTO_LIBRARY_PATH: z
    .string()
    .min(1)
    .optional()
    .describe('Folder of its libraries (LD_LIBRARY_PATH), when they lie in one of their own.'),

  DRILLS_IN_PRODUCTION: flag()
    .default(false)
    .describe('true: drills may be run by hand where DEPLOYMENT is production. They never run there by themselves.'),
  DRILL_METRICS_URL: z
    .url()
    .optional()
    .describe("The API's metrics as a drill reads them; default PROMETHEUS_PATH at DERMS_API_URL."),
  POSTGRES_DRILL_NODES: list()
    .pipe(z.array(postgresUrl()).min(2))
    .optional()
    .describe(
      'Every PostgreSQL node itself, past routers, as a role that may promote it: addresses postgres://… with user and password, commas between. Without it no failover is drilled.',
    ),
  POSTGRES_DRILL_POOLER_URL: postgresUrl()
    .optional()
    .describe("PgBouncer's console as an admin user of it; it pauses while a switchover goes on."),
  POSTGRES_DRILL_COMMAND: json(z.array(z.string().min(1)).min(1))
    .optional()
    .describe(
      'JSON list of a program and its first arguments, for what SQL cannot do: it is given `crash`, `hung` or `rejoin` and the addresses of the old primary and the standby.',
    ),
  POSTGRES_DRILL_COMMAND_SWITCHES: flag()
    .default(false)
    .describe('true: the program carries out a planned switchover too (`planned`), instead of SQL.'),

  WORKER_DRILL_COMMAND: json(z.array(z.string().min(1)).min(1))
    .optional()
    .describe(
      'JSON list of a program and its first arguments: given `crash` it kills one worker, not the one that runs the drill; given `ready` it waits until as many run as before. Without it no crash of a worker is drilled.',
    ),

  MQTT_DRILL_COMMAND: json(z.array(z.string().min(1)).min(1))
    .optional()
    .describe(
      'JSON list of a program and its first arguments that loses a broker and brings it back: it is given `crash`, `hung` or `return` and the address of that broker. Without it no failover of the broker is drilled.',
    ),

  RESTORE_TARGET_URL: postgresUrl()
    .optional()
    .describe(
      'Server that restore drills restore to, as a superuser of it (a database of their own is made and dropped); default a cluster of their own on the worker.',
    ),
  RESTORE_SCRATCH_DIR: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Where a drill makes its own cluster and base backups are unpacked to be looked at; needs twice the database's size. Default the system's folder for temporary files.",
    ),
  RESTORE_DRILL_MAX_GB: decimal(0, 1e6)
    .default(20)
    .describe(
      'Larger databases are drilled weekly (staging) or quarterly (production) instead of after each nightly backup, GB.',
    ),
  RESTORE_RTO_TARGET_SECONDS: wholeNumber(1, 10_000_000)
    .default(3_600)
    .describe('Longest that a restore may take until the application answers, s; a drill over it fails.'),
  RESTORE_RPO_TARGET_SECONDS: wholeNumber(1, 10_000_000)
    .default(93_600)
    .describe('Oldest that the newest backup may be when a drill begins, s; a drill over it fails.'),
} as const;

export const settingsSchema = z.object(settings);
export type Settings = Readonly<z.infer<typeof settingsSchema>>;
export type SettingName = keyof typeof settings;

/** Never logged, never echoed, may come from `NAME_FILE`. */
export const SECRET_SETTINGS: readonly SettingName[] = [
  'DB_PASSWORD',
  'DB_ADMIN_PASSWORD',
  'BACKUP_DB_PASSWORD',
  'MQTT_PASSWORD',
  'TEMPORAL_API_KEY',
  'JWT_SECRET',
  'JWT_SECRET_PREVIOUS',
  'AUTH_USERS',
  'DERMS_PASSWORD',
  'DERMS_TOKEN',
  'BACKUP_ENCRYPTION_KEYS',
  'RESTORE_TARGET_URL',
  'POSTGRES_DRILL_NODES',
  'POSTGRES_DRILL_POOLER_URL',
  'BACKUP_S3_ACCESS_KEY_ID',
  'BACKUP_S3_SECRET_ACCESS_KEY',
];
