import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bareEnvironment } from '../backups/postgres/programs';
import { postgresProgram, type PostgresAccess } from '../backups/postgres/server';
import { readToolchain } from '../local/toolchain';
import { startVersitygw, type VersitygwServer } from '../local/versitygw';
import { openS3Client, type S3Location } from '../storage/s3-client';
import { BenchChild } from './child';
import type { DumpOrder, DumpReport } from './processes/dump';
import { startBenchServers, type BenchServers } from './servers';
import type { Benchmark, BenchmarkRow } from './table';

/** Of the database with its indexes; `DERMS_BENCH_BACKUP_MB` for a try in less time. */
const DATABASE_MB = Number(process.env['DERMS_BENCH_BACKUP_MB'] ?? 1_000);
const ROUNDS = 3;
const DEVICES = 1_000;
/** As the simulator reports, s. */
const SAMPLE_EACH_S = 5;
const INSTANTS_AT_ONCE = 200;
const LEAST_RATIO_DIRECTORY = 0.8;
const LEAST_RATIO_S3 = 0.7;
const MOST_GROWTH_MB = 200;
const BUCKET = 'bench';
const MIB = 1024 ** 2;

/**
 * A dump into storage as the backup makes it, against `pg_dump | zstd` into a file, in turns, in MB of database per second;
 * with the content hash of every table beside it and without. Postgres is durable; each dump is a process of its own.
 */
export const benchmarkBackup: Benchmark = async (say) => {
  const servers = await startBenchServers();
  const folder = mkdtempSync(join(tmpdir(), 'derms-bench-backup-'));
  const { postgres, zstd, versitygw } = readToolchain();
  let s3: VersitygwServer | null = null;
  try {
    const megabytes = await fill(servers, say);
    const { superuser: user, password } = servers.postgres;
    const access: PostgresAccess = { ...servers.database, user, password };
    const order = { access, programs: { postgres, zstd }, to: { folder: join(folder, 'objects') } };
    if (versitygw === undefined)
      say('NOT RUN against S3: there is no versitygw (`node local/setup/setup.mjs --proofs`)');
    else s3 = await startVersitygw({ folder: join(folder, 's3') });
    const toS3 = s3 === null ? null : { ...order, to: { s3: await makeBucket(s3) } };
    const rounds: Round[] = [];
    for (let round = 1; round <= ROUNDS; round += 1) {
      const measured = await measure(order, toS3, join(folder, 'bare.zst'));
      say(`round ${String(round)}: ${told(measured, megabytes)}`);
      rounds.push(measured);
    }
    return rowsOf(rounds, megabytes);
  } finally {
    await s3?.stop();
    await servers.stop();
    rmSync(folder, { recursive: true, force: true });
  }
};

/** Each in seconds; growth in bytes. */
interface Round {
  readonly bareDump: number;
  readonly bareZstd: number;
  readonly dump: number;
  readonly whole: number;
  readonly hash: number;
  readonly s3: number | null;
  readonly growthBytes: number;
}

type Order = Omit<DumpOrder, 'work'>;

async function measure(order: Order, toS3: Order | null, file: string): Promise<Round> {
  const bareDump = await seconds(() => pipe(order, '/dev/null', false));
  const bareZstd = await seconds(() => pipe(order, file, true));
  const dump = await dumpBy({ ...order, work: 'dump' });
  const whole = await dumpBy({ ...order, work: 'dump and content hash' });
  const hash = await dumpBy({ ...order, work: 'content hash' });
  const s3 = toS3 === null ? null : await dumpBy({ ...toS3, work: 'dump' });
  const growthBytes = Math.max(dump.growthBytes, whole.growthBytes, s3?.growthBytes ?? 0);
  return {
    ...{ bareDump, bareZstd, growthBytes },
    ...{ dump: dump.seconds, whole: whole.seconds, hash: hash.seconds, s3: s3?.seconds ?? null },
  };
}

const dumpBy = (order: DumpOrder): Promise<DumpReport> => new BenchChild<DumpReport>('dump', order).report('done');

/** `pg_dump -Fc -Z0 [| zstd -1] > file`, joined by the kernel alone. */
async function pipe({ access, programs }: Order, file: string, packed: boolean): Promise<void> {
  const { program, env } = postgresProgram(programs.postgres, 'pg_dump', access, 'derms-bench');
  const target = await open(file, 'w');
  try {
    const shell = packed ? 'set -o pipefail; "$0" -Fc -Z0 | "$1" -1 -q -c' : '"$0" -Fc -Z0';
    const child = spawn('bash', ['-c', shell, program, programs.zstd.path], {
      env: { ...bareEnvironment(programs.zstd), ...env },
      stdio: ['ignore', target.fd, 'inherit'],
    });
    const [code] = (await once(child, 'exit')) as [number | null];
    if (code !== 0) throw new Error(`pg_dump ended with ${String(code)}`);
  } finally {
    await target.close();
  }
}

/** Whole samples of a day for all devices, until the database is as large as it should be; answers how large, MB. */
async function fill({ db }: BenchServers, say: (line: string) => void): Promise<number> {
  for (let instant = 0; ; instant += INSTANTS_AT_ONCE) {
    const { rows } = await db.query<{ bytes: string }>('select pg_database_size(current_database()) as bytes');
    const megabytes = Number(rows[0]?.bytes) / 1e6;
    if (megabytes >= DATABASE_MB) {
      await db.query('analyze telemetry');
      say(`the database has ${megabytes.toFixed(0)} MB`);
      return megabytes;
    }
    await db.query(
      `insert into telemetry (device_key, sampled_at, received_at, message_id, power_kw, energy_kwh, soc, voltage_v,
                              current_a, online)
       select device, at, at + interval '40 ms', gen_random_uuid(), round((random() * 11)::numeric, 3),
              round((instant * 0.01)::numeric, 4), round(random()::numeric, 4), round((230 + random() * 8)::numeric, 1),
              round((random() * 16)::numeric, 2), true
         from generate_series($1::integer, $1::integer + $2::integer - 1) as instant,
              lateral (select date_trunc('day', now(), 'UTC') - interval '20 days'
                                + instant * make_interval(secs => $3::integer) as at) as moment,
              generate_series(1, $4::integer) as device`,
      [instant, INSTANTS_AT_ONCE, SAMPLE_EACH_S, DEVICES],
    );
  }
}

async function makeBucket(server: VersitygwServer): Promise<S3Location> {
  const location: S3Location = {
    ...{ bucket: BUCKET, prefix: '', endpoint: server.endpoint, region: 'us-east-1', forcePathStyle: true },
    credentials: { accessKeyId: server.accessKeyId, secretAccessKey: server.secretAccessKey },
    ...{ serverEncryption: 'none', partBytes: 16 * MIB, partsInFlight: 3, idleMs: 30_000 },
  };
  const client = await openS3Client(location);
  await client.createBucket({ Bucket: BUCKET });
  client.destroy();
  return location;
}

function rowsOf(rounds: readonly Round[], megabytes: number): BenchmarkRow[] {
  const rate = (of: (round: Round) => number | null): number =>
    megabytes / middle(rounds.map((round) => of(round) ?? NaN));
  const bare = rate(({ bareZstd }) => bareZstd);
  const row = (measure: string, ours: number, least: number | null): BenchmarkRow => ({
    ...{
      benchmark: 'backup',
      measure: `${measure}, MB of database/s (reference: pg_dump | zstd)`,
      ours,
      reference: bare,
    },
    target: least === null ? null : `>= ${String(least)} of it`,
    met: least === null ? null : ours / bare >= least,
  });
  const growth = Math.max(...rounds.map(({ growthBytes }) => growthBytes)) / 1e6;
  return [
    row(
      'bare pg_dump to /dev/null',
      rate(({ bareDump }) => bareDump),
      null,
    ),
    row(
      'dump to a directory',
      rate(({ dump }) => dump),
      LEAST_RATIO_DIRECTORY,
    ),
    row(
      'dump to a directory with content hash',
      rate(({ whole }) => whole),
      null,
    ),
    row(
      'content hash alone',
      rate(({ hash }) => hash),
      null,
    ),
    ...(typeof rounds[0]?.s3 !== 'number'
      ? []
      : [
          row(
            'dump to S3',
            rate(({ s3 }) => s3),
            LEAST_RATIO_S3,
          ),
        ]),
    {
      ...{ benchmark: 'backup', measure: 'memory that a dump takes, MB', ours: growth, reference: null },
      ...{ target: `<= ${String(MOST_GROWTH_MB)}`, met: growth <= MOST_GROWTH_MB },
    },
  ];
}

function told(round: Round, megabytes: number): string {
  const { bareDump, bareZstd, dump, whole, hash, s3 } = round;
  return Object.entries({ bareDump, bareZstd, dump, whole, hash, s3 })
    .flatMap(([name, took]) => (took === null ? [] : [`${name} ${(megabytes / took).toFixed(0)} MB/s`]))
    .join(', ');
}

const middle = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;

async function seconds(work: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}
