import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { BROKER_SCENARIOS } from '../drills/mqtt/acts';
import { FAILOVER_SCENARIOS } from '../drills/postgres/acts';
import { WORKER_SCENARIOS } from '../drills/workers/acts';
import type { DrillReport } from '../drills/drill';
import type { DrillOrder } from '../drills/run-drill';
import { readMetricsPage } from '../drills/metrics-page';
import { runPostgresFailoverHere } from './failover/postgres-failover-here';
import { startPostgresLaboratory } from './failover/laboratory';
import { startMqttLaboratory } from './failover/mqtt-laboratory';
import { runWorkerCrashHere, SECOND_WORKER } from './failover/worker-crash-here';
import { DEMO_REGISTRY } from './stack';
import { startTestSystem, type TestSystem } from './test-system';
import { repositoryRoot } from './toolchain';

// `npm run drill -- postgres-failover`: a drill on a system of its own, with everything real, thrown away afterwards.

const USAGE = `npm run drill -- DRILL [--scenario NAME] [--asynchronous] [--json]

  postgres-failover   planned, crash, hung (default: all three, one after the other)
  mqtt-failover       crash, hung (default: both)
  worker-crash        one of two workers is killed

Exit code 0: passed, 3: failed, 1: could not be carried out.
`;
const CALM_WITHIN_MS = 60_000;
const EXIT = { passed: 0, brokeOff: 1, usage: 2, failed: 3 } as const;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      scenario: { type: 'string' },
      asynchronous: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const laboratory = LABORATORIES.find(({ drill }) => drill === positionals.join());
  const scenarios = laboratory?.scenarios.filter((name) => (values.scenario ?? name) === name) ?? [];
  if (laboratory === undefined || scenarios.length === 0) {
    process.stderr.write(USAGE);
    return EXIT.usage;
  }
  say(`${laboratory.parts}, Temporal and our own programs are started`);
  const reports = await drillIn(await laboratory.start(!values.asynchronous), laboratory.drill, scenarios);
  for (const report of reports) process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : told(report));
  return reports.every(({ verdict }) => verdict === 'passed') ? EXIT.passed : EXIT.failed;
}

/** A system of its own, and how a scenario is drilled in it. */
interface Laboratory {
  readonly system: TestSystem;
  /** What runs besides an API, a worker and a fleet. */
  startMore?(): Promise<void>;
  run(scenario: string, order: DrillOrder): Promise<DrillReport>;
  stop(): Promise<void>;
}

const LABORATORIES = [
  {
    drill: 'postgres-failover',
    scenarios: FAILOVER_SCENARIOS,
    parts: 'a primary, a standby, PgBouncer, HAProxy, broker',
    async start(synchronous: boolean): Promise<Laboratory> {
      const laboratory = await startPostgresLaboratory({ synchronous });
      return {
        system: laboratory.system,
        run: (scenario, order) =>
          runPostgresFailoverHere(laboratory, { ...order, scenario: named(FAILOVER_SCENARIOS, scenario), synchronous }),
        stop: () => laboratory.stop(),
      };
    },
  },
  {
    drill: 'mqtt-failover',
    scenarios: BROKER_SCENARIOS,
    parts: 'PostgreSQL, two brokers',
    async start(): Promise<Laboratory> {
      const laboratory = await startMqttLaboratory();
      return {
        system: laboratory.system,
        run: (scenario, order) => laboratory.drill(named(BROKER_SCENARIOS, scenario), order),
        stop: () => laboratory.stop(),
      };
    },
  },
  {
    drill: 'worker-crash',
    scenarios: WORKER_SCENARIOS,
    parts: 'PostgreSQL, broker, a second worker',
    async start(): Promise<Laboratory> {
      const system = await startTestSystem();
      return {
        system,
        startMore: async () => {
          await system.startReplica(SECOND_WORKER);
        },
        run: (_scenario, order) => runWorkerCrashHere(system, order),
        stop: () => system.stop(),
      };
    },
  },
] as const;

function named<Name extends string>(names: readonly Name[], asked: string): Name {
  const found = names.find((name) => name === asked);
  if (found === undefined) throw new Error(`there is no scenario ${asked}`);
  return found;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function drillIn(laboratory: Laboratory, drill: string, scenarios: readonly string[]): Promise<DrillReport[]> {
  const { system } = laboratory;
  const registry = join(repositoryRoot(), DEMO_REGISTRY);
  const reports: DrillReport[] = [];
  try {
    await Promise.all([system.start('api'), system.start('worker'), laboratory.startMore?.()]);
    await system.derms('registry', 'apply', registry);
    await system.start('simulator', ['--registry', registry, '--seed', '1']);
    for (const scenario of scenarios) {
      await untilCalm(`${system.apiUrl}/metrics`);
      say(`\n${drill}, ${scenario}`);
      reports.push(
        await laboratory.run(scenario, {
          ...{ runId: randomUUID(), signal: new AbortController().signal },
          onStep: (note) => {
            say(`  ${note}`);
          },
        }),
      );
    }
  } finally {
    await laboratory.stop();
  }
  return reports;
}

/** Every device has spoken and every loop has planned. */
async function untilCalm(metricsUrl: string): Promise<void> {
  const deadline = performance.now() + CALM_WITHIN_MS;
  for (;;) {
    const page = await readMetricsPage(metricsUrl);
    const loops = page.having('derms_control_loop_ok', 1).length;
    if (loops > 0 && page.sum('derms_control_loop_offline_devices') === 0) return;
    if (performance.now() > deadline) throw new Error('the fleet did not come up');
    await sleep(500);
  }
}

function told(report: DrillReport): string {
  const { canary, gauge, offlineDevices } = report;
  const failed = canary.writes.failed + (canary.reads?.failed ?? 0);
  const lines = [
    `${report.drill}, ${report.scenario}: ${report.verdict.toUpperCase()}`,
    `  longest gap of writes ${String(canary.writes.gapMs)} ms (at most ${String(report.budget.gapMs)}), of reads ${String(canary.reads?.gapMs ?? 0)} ms`,
    `  ${String(canary.acknowledged)} writes acknowledged, ${String(canary.lost)} of them lost; ${String(failed)} attempts failed, ${String(canary.staleReads)} stale reads`,
    `  ${gauge.name}: 0 at ${gauge.downAt ?? 'no time'}, 1 again at ${gauge.upAgainAt ?? 'no time'} (${String(gauge.scrapes)} scrapes)`,
    `  offline devices: ${String(offlineDevices.before)} before, ${String(offlineDevices.after)} after`,
    ...report.findings.map(({ what, holds, detail }) => `  ${holds ? 'yes' : 'NO'}: ${what} (${detail})`),
    ...Object.entries(report.figures).map(([name, value]) => `  ${name} ${String(value)}`),
    ...report.faults.map((fault) => `  FAULT: ${fault}`),
  ];
  return `${lines.join('\n')}\n`;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(EXIT.brokeOff);
  },
);
