import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseRegistryFile } from '../contracts/registry-file';
import { openDatabase, type Database } from '../db/pool';
import { startProgram } from '../local/program';
import { repositoryRoot } from '../local/toolchain';
import { createLogger } from '../observability/logger';
import type { ChildProcess } from '../servers/child-process';
import { LOOPBACK } from '../servers/free-port';
import { checkRecords } from './check/check';
import type { Finding } from './check/finding';
import type { FleetOrder, FleetRecords } from './fleet-main';
import { AUTOSAVE_SECONDS, startLaboratory, type Laboratory } from './laboratory';
import { readRetained, watchSetpoints } from './onlooker';
import { startOperator, type Operator } from './operator';
import { makePlan, toldPlan, type PlannedFault, type Target } from './plan';
import { markedProcesses, sampleProcess } from './processes';
import {
  feederLimits,
  jobRuns,
  liveliness,
  loopRecords,
  openDispatches,
  sessions,
  standingSetpoints,
  storedDispatches,
  storedPlans,
  storedReadings,
} from './read-database';
import type { ChaosRecords, ProcessSample, SetpointRecords } from './records';
import { runFaults } from './run-faults';

export interface ChaosOptions {
  readonly seed: number;
  /** Of faults; starting and judging come on top. */
  readonly seconds: number;
  readonly say: (line: string) => void;
  /** In place of the seed's plan. */
  readonly plan?: readonly PlannedFault[];
  readonly dist?: string;
  readonly workers?: 1 | 2;
  /** A backup is asked for after this share of the time; null: none. Default a quarter. */
  readonly backupAfter?: number | null;
  /** Where records and logs are kept, to look into; left out: nowhere. */
  readonly keepIn?: string;
}

export interface ChaosReport {
  readonly findings: readonly Finding[];
  readonly records: ChaosRecords;
}

const REGISTRY = join(repositoryRoot(), 'deploy/registry/demo.yaml');
const UP_WITHIN_MS = 120_000;
const CALM_WITHIN_MS = 120_000;
const CLOSED_WITHIN_MS = 120_000;
const DRAINED_WITHIN_MS = 60_000;
const RETAINED_WITHIN_MS = 40_000;
const GONE_WITHIN_MS = 10_000;
const LOOK_EACH_MS = 500;
const LOOKS = 4;
const LOOKS_EACH_MS = 1_500;
/** Cycles of every loop until things count as calm. */
const CALM_CYCLES = 3;

/** Breaks a system of its own by the plan while a fleet and dispatches run, and judges what was seen from outside. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { say, dist, workers } = options;
  say('PostgreSQL, two brokers, Temporal, storage, proxies and our own programs are started');
  const laboratory = await startLaboratory({
    ...(dist === undefined ? {} : { dist }),
    ...(workers === undefined ? {} : { workers }),
  });
  const db = directDatabase(laboratory);
  const { folder } = laboratory.system.stack;
  let seen: Seen;
  try {
    seen = await breakAndLook(laboratory, db, options);
  } finally {
    await db.close();
    keepLogs(options.keepIn, folder);
    await laboratory.stop();
  }
  const leftOver = await leftOverOf(folder);
  const { before, after, ...rest } = seen;
  const records: ChaosRecords = {
    ...rest,
    processes: {
      ...{ before: before.samples, countBefore: before.count, sessionsBefore: before.sessions },
      ...{ after: after.samples, countAfter: after.count, sessionsAfter: after.sessions },
      leftOver,
    },
  };
  keep(options.keepIn, records);
  return { records, findings: checkRecords(records) };
}

type Seen = Omit<ChaosRecords, 'processes'> & { readonly before: Holding; readonly after: Holding };

async function breakAndLook(laboratory: Laboratory, db: Database, options: ChaosOptions): Promise<Seen> {
  const { seed, seconds, say } = options;
  const { system, brokers } = laboratory;
  await laboratory.startPrograms();
  await system.derms('registry', 'apply', REGISTRY);
  const fleet = await startFleet(laboratory, seed);
  const onlooker = watchSetpoints(brokers, system.stack.brokerUser);
  try {
    await untilCalm(db, 0, UP_WITHIN_MS);
    await sleep((AUTOSAVE_SECONDS + 1) * 1_000); // the brokers know their sessions, also after a kill
    const before = await look(laboratory, db);
    const plan = options.plan ?? makePlan(seed, seconds, targetsOf(laboratory));
    say([`seed ${String(seed)}, ${String(plan.length)} faults in ${String(seconds)} s:`, ...toldPlan(plan)].join('\n'));

    const beganAtMs = Date.now();
    const operator = startOperator({
      ...{ apiUrl: system.apiUrl, signIn: () => system.signIn('operator') },
      ...{ registry: parseRegistryFile(readFileSync(REGISTRY, 'utf8')), seed },
    });
    const { backupAfter = 1 / 4 } = options;
    const backup =
      backupAfter === null
        ? undefined
        : setTimeout(
            () => {
              operator.runJob('db-backup');
            },
            backupAfter * seconds * 1_000,
          );
    const [faults] = await Promise.all([runFaults(plan, laboratory.components(), say), sleep(seconds * 1_000)]);
    clearTimeout(backup);
    const calmAtMs = Date.now();
    say('everything is mended; what goes on is awaited');

    await operator.finish();
    await untilCalm(db, calmAtMs, CALM_WITHIN_MS);
    await until(async () => (await openDispatches(db)) === 0 && (await runsAreOver(db, operator)), CLOSED_WITHIN_MS);
    await until(() => Promise.resolve(programsOf(laboratory) === before.count), CALM_WITHIN_MS);
    const after = await look(laboratory, db);
    const setpoints = await readSetpoints(laboratory, db, onlooker);
    const loops = await loopRecords(db, beganAtMs);
    const endedAtMs = Date.now();
    await fleet.stop({ graceMs: 15_000 });
    const { acknowledged, flows } = readFleet(laboratory);
    const stored = await drained(db, acknowledged.length);
    return {
      ...{ beganAtMs, calmAtMs, endedAtMs, faults, loops, before, after, setpoints },
      telemetry: {
        ...{ acknowledged, stored },
        brokers: brokers.map(({ name }) => name),
        autosaveMs: AUTOSAVE_SECONDS * 1_000,
      },
      limits: { ...(await feederLimits(db)), flows },
      dispatches: { asked: operator.asked, stored: await storedDispatches(db) },
      runs: await jobRuns(db, operator.runIds),
      runsAccepted: operator.runIds.length,
    };
  } finally {
    await onlooker.stop();
    await fleet.stop();
  }
}

const targetsOf = (laboratory: Laboratory): Target[] =>
  laboratory.components().map(({ name, kinds }) => ({ name, kinds }));

const recordFile = ({ system }: Laboratory): string => join(system.stack.folder, 'fleet.json');

function startFleet(laboratory: Laboratory, seed: number): Promise<ChildProcess> {
  const { system, brokers } = laboratory;
  const { folder, brokerUser } = system.stack;
  const order: FleetOrder = {
    ...{ registryFile: REGISTRY, seed, recordFile: recordFile(laboratory), ...brokerUser },
    brokers: brokers.map(({ devicesPort }) => ({ host: LOOPBACK, port: devicesPort })),
    clientId: 'chaos-fleet',
  };
  return startProgram({
    ...{ name: 'fleet', script: join(repositoryRoot(), 'dist/chaos/fleet-main.js'), cwd: folder, readyUrls: [] },
    env: { CHAOS_FLEET: JSON.stringify(order) },
    logFile: join(folder, 'fleet.log'),
  });
}

const readFleet = (laboratory: Laboratory): FleetRecords =>
  JSON.parse(readFileSync(recordFile(laboratory), 'utf8')) as FleetRecords; // written by fleet-main.ts

/** Past every proxy: what is read is what is there. */
function directDatabase({ system: { stack, environments } }: Laboratory): Database {
  const { DB_NAME: database = '', DB_USER: user = '', DB_PASSWORD: password = '' } = environments.worker;
  const log = createLogger({ service: 'derms', role: 'chaos', level: 'silent', pretty: false });
  return openDatabase(
    {
      ...{ host: stack.postgres.host, port: stack.postgres.port, database, user, password, poolSize: 2 },
      ...{ connectTimeoutMs: 5_000, queryTimeoutMs: 30_000, applicationName: 'chaos' },
    },
    log,
  );
}

/** Every device was heard of since, and every loop has planned some cycles. */
const untilCalm = (db: Database, sinceMs: number, withinMs: number): Promise<void> =>
  until(async () => {
    const { devices, heard, cycles } = await liveliness(db, sinceMs);
    return devices > 0 && heard === devices && cycles >= CALM_CYCLES;
  }, withinMs);

/** Returns when it is so, or when the time is over: what is not so then is seen by the checks. */
async function until(isSo: () => Promise<boolean>, withinMs: number): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (performance.now() < deadline) {
    if (await isSo().catch(() => false)) return;
    await sleep(LOOK_EACH_MS);
  }
}

const runsAreOver = async (db: Database, { runIds }: Operator): Promise<boolean> =>
  (await jobRuns(db, runIds)).every(({ finished }) => finished);

interface Holding {
  readonly samples: ProcessSample[];
  readonly count: number;
  readonly sessions: number;
}

/** What the processes hold now, at a few moments. Sessions of Postgres are processes too, and are counted by themselves. */
async function look(laboratory: Laboratory, db: Database): Promise<Holding> {
  const samples: ProcessSample[] = [];
  for (let looks = 0; looks < LOOKS; looks += 1) {
    await sleep(LOOKS_EACH_MS);
    for (const [name, pid] of laboratory.pids()) {
      const sample = sampleProcess(name, pid);
      if (sample !== undefined) samples.push(sample);
    }
  }
  return { samples, count: programsOf(laboratory), sessions: await sessions(db) };
}

const programsOf = ({ system }: Laboratory): number =>
  markedProcesses(system.stack.folder).filter(({ program }) => program !== 'postgres').length;

/** A cycle may lie between the two looks: they are taken again until they agree, or for some cycles. */
async function readSetpoints(
  { system, brokers }: Laboratory,
  db: Database,
  { heard }: Pick<ReturnType<typeof watchSetpoints>, 'heard'>,
): Promise<SetpointRecords> {
  let records: SetpointRecords = { heard: [], retained: [], plans: [], standing: [] };
  await until(async () => {
    const standing = await standingSetpoints(db);
    const retained = await readRetained(brokers, system.stack.brokerUser);
    const again = new Map((await standingSetpoints(db)).map(({ deviceId, planId }) => [deviceId, planId]));
    const unchanged = standing.filter(({ deviceId, planId }) => again.get(deviceId) === planId);
    records = { heard: [...heard], retained, plans: await storedPlans(db), standing: unchanged };
    const held = new Map(retained.map(({ broker, deviceId, planId }) => [`${broker} ${deviceId}`, planId]));
    // A tree is renewed all at once: what was looked at in that moment tells nothing.
    const isStill = unchanged.length > standing.length / 2;
    return (
      isStill &&
      unchanged.every(({ deviceId, planId }) => brokers.every(({ name }) => held.get(`${name} ${deviceId}`) === planId))
    );
  }, RETAINED_WITHIN_MS);
  return records;
}

/** What the brokers still held is stored by now: nothing new has come for a while, or all that was acknowledged is there. */
async function drained(db: Database, acknowledged: number): ReturnType<typeof storedReadings> {
  let count = -1;
  let quietSince = performance.now();
  await until(async () => {
    const { rows } = await db.query<{ n: number }>('select count(*)::int as n from telemetry');
    const now = rows[0]?.n ?? 0;
    if (now !== count) quietSince = performance.now();
    count = now;
    return now >= acknowledged && performance.now() - quietSince > 2_000;
  }, DRAINED_WITHIN_MS);
  return storedReadings(db);
}

async function leftOverOf(folder: string): Promise<string[]> {
  const left = (): string[] => markedProcesses(folder).map(({ program, pid }) => `${program} (${String(pid)})`);
  await until(() => Promise.resolve(left().length === 0), GONE_WITHIN_MS);
  return left();
}

function keepLogs(folder: string | undefined, from: string): void {
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(from).filter((each) => each.endsWith('.log')))
    copyFileSync(join(from, name), join(folder, name));
}

function keep(folder: string | undefined, records: ChaosRecords): void {
  if (folder === undefined) return;
  writeFileSync(join(folder, 'records.json'), JSON.stringify(records));
}
