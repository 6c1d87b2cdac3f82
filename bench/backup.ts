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
import { withDemo } from './demo';
import { growPast } from './history';
import type { Benchmark, BenchmarkRow } from './table';

/** Of the database with its indexes; `DERMS_BENCH_BACKUP_MB` for a try in less time. */
const DATABASE_MB = Number(process.env['DERMS_BENCH_BACKUP_MB'] ?? 1_000);
const ROUNDS = Number(process.env['DERMS_BENCH_BACKUP_ROUNDS'] ?? 5);
const LEAST_RATIO_DIRECTORY = 0.8;
const LEAST_RATIO_S3 = 0.7;
const MOST_GROWTH_MB = 200;
const BUCKET = 'bench';
const MIB = 1024 ** 2;

/**
 * A dump into storage as the backup makes it, against `pg_dump | zstd` into a file, on a database that the simulated fleet
 * has filled; with the content hash of every table beside it and without. Postgres is durable; each dump is a process of
 * its own. In every round the reference is measured before and after, and a ratio is one of its round: what else the
 * machine does changes from round to round, and less within one.
 */
export const benchmarkBackup: Benchmark = (say) =>
  withDemo(async (bench) => {
    const folder = mkdtempSync(join(tmpdir(), 'derms-bench-backup-'));
    const { postgres, zstd, versitygw } = readToolchain();
    let s3: VersitygwServer | null = null;
    try {
      const megabytes = await growPast(bench, DATABASE_MB, say);
      for (const program of ['simulator', 'worker', 'api'] as const) await bench.system.running(program).stop();
      const { host, port, superuser: user, password } = bench.system.stack.postgres;
      const database = bench.system.environments.migrate['DB_NAME'] ?? '';
      const access: PostgresAccess = { host, port, user, password, database };
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
      rmSync(folder, { recursive: true, force: true });
    }
  });

/** Each in seconds; growth in bytes. */
interface Round {
  readonly bareDump: number;
  /** `pg_dump | zstd` before and after, their mean. */
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
  const before = await seconds(() => pipe(order, file, true));
  const dump = await dumpBy({ ...order, work: 'dump' });
  const s3 = toS3 === null ? null : await dumpBy({ ...toS3, work: 'dump' });
  const after = await seconds(() => pipe(order, file, true));
  const whole = await dumpBy({ ...order, work: 'dump and content hash' });
  const hash = await dumpBy({ ...order, work: 'content hash' });
  const growthBytes = Math.max(dump.growthBytes, whole.growthBytes, s3?.growthBytes ?? 0);
  return {
    ...{ bareDump, bareZstd: (before + after) / 2, growthBytes },
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
  type Seconds = (round: Round) => number | null;
  const row = (measure: string, of: Seconds, least: number | null): BenchmarkRow => {
    const ratio = middle(rounds.map((round) => round.bareZstd / (of(round) ?? NaN)));
    const reference = megabytes / middle(rounds.map(({ bareZstd }) => bareZstd));
    return {
      ...{ benchmark: 'backup', measure: `${measure}, MB of database/s (reference: pg_dump | zstd)` },
      // The ratio is the median of the rounds; the rate is what it is of the median reference.
      ...{ ours: ratio * reference, reference },
      target: least === null ? null : `≥ ${String(least)} of it`,
      met: least === null ? null : ratio >= least,
    };
  };
  const growth = Math.max(...rounds.map(({ growthBytes }) => growthBytes)) / 1e6;
  const toS3 = row('dump to S3', ({ s3 }) => s3, LEAST_RATIO_S3);
  return [
    row('bare pg_dump to /dev/null', ({ bareDump }) => bareDump, null),
    row('dump to a directory', ({ dump }) => dump, LEAST_RATIO_DIRECTORY),
    ...(typeof rounds[0]?.s3 === 'number' ? [toS3] : []),
    row('dump to a directory with content hash', ({ whole }) => whole, null),
    row('content hash alone', ({ hash }) => hash, null),
    {
      ...{ benchmark: 'backup', measure: 'memory that a dump takes, MB', ours: growth, reference: null },
      ...{ target: `≤ ${String(MOST_GROWTH_MB)}`, met: growth <= MOST_GROWTH_MB },
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
