import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { S3 } from '@aws-sdk/client-s3';
import type { Database } from '../../../db/pool';
import { startPostgres } from '../../../local/postgres';
import { startTestSystem, type TestSystem } from '../../../local/test-system';
import { METRICS_OFFSETS, WORKER_ROLES } from '../../../local/ports';
import { startVersitygw, type VersitygwServer } from '../../../local/versitygw';
import { unprivilegedUser } from '../../../servers/os-user';
import { newKeyEntry } from '../../../storage/encryption/key-ring';
import { apiAs, databaseOf, type Answer } from '../../e2e/support';
import { BACKUP_BUCKET, backupBucketSettings, makeBackupBucket } from '../../support/backup-bucket';
import { eventually } from '../../support/servers';
import { marked, type SeenProcess } from '../../support/marked-processes';

/** What can be killed; `scratch` is the cluster that a drill restores into. */
export type Victim = 'worker' | 'postgres' | 'scratch' | 'storage';
/** `copy` and `prove` are of base backups. */
export type Phase = 'dump' | 'verify' | 'drill' | 'copy' | 'prove';

/** A real system of the jobs role that backs up to a real bucket, and what happens to it. */
export interface KillWorld {
  /** Starts a run; answers its id. */
  start(jobName: string, input?: object): Promise<string>;
  /** The backup of this kind that was taken last. */
  newest(kind: 'dump' | 'base'): Promise<string>;
  /** Waits until the phase is in the middle, and stops there the process that moves its bytes; answers how to let it go. */
  hold(phase: Phase): Promise<() => void>;
  /** kill -9. */
  kill(victim: Victim): Promise<void>;
  /** Starts again what nobody else would start again. */
  bringBack(victim: Victim): Promise<void>;
  /** The run when it is over. */
  ended(runId: string): Promise<Answer['body']>;
  /** What the jobs role shows to Prometheus. */
  metrics(): Promise<string>;
  /** In how many parts the object of a backup was put. */
  partsOf(key: string): Promise<number>;
  /** What is there that must not be: parts, halves of backups, sessions, programs, folders, clusters. */
  leftBehind(): Promise<string[]>;
  close(): Promise<void>;
}

/** A dump of about 130 MB, of which zstd leaves about 80: sixteen parts of the smallest size that S3 takes. */
const ROWS = 1_400_000;
/** A cluster has indexes, other databases and its log besides. */
const ROWS_OF_A_CLUSTER = 500_000;
const IN_THE_MIDDLE_BYTES = 25_000_000;
const RUN_OVER_WITHIN_MS = 150_000;
const PORTS_FREE_WITHIN_MS = 20_000;

/** With `archives` its log goes to the bucket too, as base backups need it. */
export async function createKillWorld({ archives = false } = {}): Promise<KillWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'derms-kill-'));
  chmodSync(folder, 0o711); // as root, scratch clusters run as another user
  const [scratch, temporary] = [join(folder, 'scratch'), join(folder, 'temporary')];
  for (const made of [scratch, temporary]) mkdirSync(made, { mode: 0o711 });
  const storage = await startVersitygw({ folder: join(folder, 's3') });
  const s3 = await makeBackupBucket(storage);
  const vault = { BACKUP_ENCRYPTION_KEYS: newKeyEntry('proof'), ...backupBucketSettings(storage) };
  const postgresSettings = archives ? archiving(folder, vault) : {};
  const system = await startTestSystem({
    profile: 'durable', // what was committed is there after a kill -9
    postgresSettings,
    // `TMPDIR` is handed on to every program that ours start, and marks them.
    env: { ...vault, WORKER_ROLES: 'jobs', TMPDIR: temporary, RESTORE_SCRATCH_DIR: scratch },
  });
  await fill(system, archives ? ROWS_OF_A_CLUSTER : ROWS);
  await Promise.all([system.start('api'), system.start('worker')]);
  const db = databaseOf(system);
  const operator = await apiAs(system, 'operator');
  const running = { storage, postgres: system.stack.postgres };

  const mover = (phase: Phase): SeenProcess | undefined => {
    const { program, argument, way } = MOVERS[phase];
    return marked(temporary).find(
      ({ program: name, args, moved }) =>
        name === program && args.includes(argument) && moved[way] > IN_THE_MIDDLE_BYTES,
    );
  };
  const victims: Readonly<Record<Victim, () => number | undefined>> = {
    worker: () => marked(temporary).find(({ args }) => args.some((arg) => arg.endsWith('worker/roles/jobs')))?.pid,
    postgres: () => running.postgres.pid,
    scratch: () => marked(scratch).find(({ program, args }) => program === 'postgres' && args.includes('-D'))?.pid,
    storage: () => running.storage.pid,
  };

  return {
    async start(jobName, input = {}) {
      const { status, body } = await operator('POST', `/api/jobs/${jobName}/runs`, input);
      expect(status).toBe(202);
      return String(body['runId']);
    },
    async newest(kind) {
      const { body } = await operator('GET', `/api/backups?kind=${kind}&limit=1`);
      const [{ backupId }] = body['items'] as [{ backupId: string }];
      return backupId;
    },
    async hold(phase) {
      const found = await eventually(() => mover(phase) ?? notYet(`the middle of the ${phase}`), 60_000, 10);
      process.kill(found.pid, 'SIGSTOP');
      return () => {
        if (marked(temporary).some(({ pid }) => pid === found.pid)) process.kill(found.pid, 'SIGCONT');
      };
    },
    kill(victim) {
      const pid = victims[victim]();
      if (pid === undefined) throw new Error(`there is no ${victim} to kill`);
      process.kill(pid, 'SIGKILL');
      return eventually(() => {
        if (isThere(pid)) notYet(`the end of the ${victim}`);
      });
    },
    async bringBack(victim) {
      if (victim === 'storage') running.storage = await restart(storage);
      if (victim === 'postgres') running.postgres = await restartPostgres(system, postgresSettings);
    },
    ended: (runId) =>
      eventually(
        async () => {
          const { status, body } = await operator('GET', `/api/runs/${runId}`);
          return status === 200 && body['finishedAt'] !== null
            ? body
            : notYet(`the end of the run: ${JSON.stringify(body)}`);
        },
        RUN_OVER_WITHIN_MS,
        250,
      ),
    async metrics() {
      const port = system.ports.metrics + METRICS_OFFSETS.worker + 1 + WORKER_ROLES.indexOf('jobs');
      return (await fetch(`http://127.0.0.1:${String(port)}/metrics`, { signal: AbortSignal.timeout(5_000) })).text();
    },
    async partsOf(key) {
      const { ETag = '' } = await s3.headObject({ Bucket: BACKUP_BUCKET, Key: key });
      return Number(/-(\d+)"?$/.exec(ETag)?.[1] ?? 1);
    },
    leftBehind: async () => [
      ...(await leftInBucket(s3)),
      ...(await eventually(() => leftOnServer(db))),
      ...readdirSync(scratch).map((name) => `scratch folder ${name}`),
      ...marked(temporary).flatMap(({ program, args }) =>
        PROGRAMS.test(program) ? [`${program} ${args.join(' ')}`] : [],
      ),
      ...marked(scratch)
        .map(({ program, args }) => `${program} ${args.join(' ')}`)
        .filter((line) => line.includes(`${scratch}/`)),
    ],
    async close() {
      await db.close();
      s3.destroy();
      await system.stop();
      await Promise.all([running.storage.stop(), running.postgres.stop()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };

  async function restart({ endpoint, secretAccessKey }: VersitygwServer): Promise<VersitygwServer> {
    const port = Number(new URL(endpoint).port);
    return eventually(
      () => startVersitygw({ folder: join(folder, 's3'), port, secretAccessKey }),
      PORTS_FREE_WITHIN_MS,
    );
  }
}

/** Which program moves the bytes of a phase, and how it is told from the others of its name. */
const MOVERS = {
  dump: { program: 'pg_dump', argument: '-Fc', way: 'written' },
  verify: { program: 'pg_restore', argument: '/dev/null', way: 'read' },
  drill: { program: 'pg_restore', argument: '--dbname', way: 'read' },
  copy: { program: 'pg_basebackup', argument: '--format=tar', way: 'written' },
  prove: { program: 'tar', argument: '-x', way: 'read' },
} as const satisfies Record<Phase, { program: string; argument: string; way: keyof SeenProcess['moved'] }>;

const PROGRAMS = /^(pg_dump|pg_restore|pg_basebackup|pg_verifyback.*|tar|zstd)$/;

/** As docs/wal-archiving.md has it. */
function archiving(folder: string, vault: object): Record<string, string> {
  const file = join(folder, 'wal.env');
  writeFileSync(
    file,
    `${Object.entries(vault)
      .map((entry) => entry.join('='))
      .join('\n')}\n`,
    { mode: 0o600 },
  );
  const osUser = unprivilegedUser('postgres');
  if (osUser) chownSync(file, osUser.uid, osUser.gid);
  const program = join(__dirname, '../../../dist/backups/wal/main.js');
  return {
    wal_level: 'replica',
    archive_mode: 'on',
    archive_command: `"${process.execPath}" "${program}" --env "${file}" archive %p %f`,
  };
}

async function fill({ environments, stack, secrets }: TestSystem, rows: number): Promise<void> {
  const { Client } = await import('pg');
  const { host, port, superuser: user } = stack.postgres;
  const client = new Client({
    host,
    port,
    user,
    password: secrets.postgresAdmin,
    database: environments.migrate['DB_NAME'],
  });
  await client.connect();
  await client.query('create table load_of_a_proof (id bigint primary key, noise text)');
  await client.query(
    `insert into load_of_a_proof select n, encode(sha256(n::text::bytea), 'hex') from generate_series(1, ${String(rows)}) n`,
  );
  await client.end();
}

/** Its backends notice that it died and end by themselves, and only then the data can be taken up. */
async function restartPostgres(
  { stack, secrets }: TestSystem,
  settings: Record<string, string>,
): Promise<TestSystem['stack']['postgres']> {
  const { port, dataDir } = stack.postgres;
  return eventually(
    () => startPostgres({ dataDir, port, password: secrets.postgresAdmin, profile: 'durable', settings }),
    PORTS_FREE_WITHIN_MS,
  );
}

/** Unfinished uploads, and objects of which the other half is missing. */
async function leftInBucket(s3: S3): Promise<string[]> {
  const { Uploads = [] } = await s3.listMultipartUploads({ Bucket: BACKUP_BUCKET });
  const { Contents = [] } = await s3.listObjectsV2({ Bucket: BACKUP_BUCKET });
  const keys = new Set(Contents.flatMap(({ Key = '' }) => (/^(dump|base|mqtt-backup)\//.test(Key) ? [Key] : [])));
  const MANIFEST = '.manifest.json';
  const hasOther = (key: string): boolean =>
    keys.has(key.endsWith(MANIFEST) ? key.slice(0, -MANIFEST.length) : `${key}${MANIFEST}`);
  return [
    ...Uploads.map(({ Key }) => `parts of ${String(Key)}`),
    ...[...keys].filter((key) => !hasOther(key)).map((key) => `half of a backup: ${key}`),
  ];
}

async function leftOnServer(db: Database): Promise<string[]> {
  const { rows } = await db.query<{ what: string }>(
    `select 'session ' || application_name || ' ' || coalesce(state, '') as what from pg_stat_activity
      where application_name like 'derms-backup%' or application_name like 'derms-restore%' or application_name in ('pg_dump', 'pg_restore')
     union all select 'slot ' || slot_name from pg_replication_slots
     union all select 'database ' || datname from pg_database where datname like 'derms\\_drill\\_%'`,
  );
  return rows.map(({ what }) => what);
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function notYet(what: string): never {
  throw new Error(`it did not come to ${what}`);
}
