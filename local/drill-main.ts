import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { FAILOVER_SCENARIOS, type FailoverScenario } from '../drills/postgres/acts';
import type { DrillReport } from '../drills/drill';
import { readMetricsPage } from '../drills/metrics-page';
import { runPostgresFailoverHere } from './failover/postgres-failover-here';
import { startPostgresLaboratory } from './failover/laboratory';
import { DEMO_REGISTRY } from './stack';
import { repositoryRoot } from './toolchain';

// `npm run drill -- postgres-failover`: a drill on a system of its own, with everything real, thrown away afterwards.

const USAGE = `npm run drill -- DRILL [--scenario NAME] [--asynchronous] [--json]

  postgres-failover   planned, crash, hung (default: all three, one after the other)

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
  const scenarios = scenariosOf(values.scenario);
  if (positionals.join() !== 'postgres-failover' || scenarios === null) {
    process.stderr.write(USAGE);
    return EXIT.usage;
  }
  const reports = await drillPostgres(scenarios, !values.asynchronous);
  for (const report of reports) process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : told(report));
  return reports.every(({ verdict }) => verdict === 'passed') ? EXIT.passed : EXIT.failed;
}

function scenariosOf(asked: string | undefined): readonly FailoverScenario[] | null {
  if (asked === undefined) return FAILOVER_SCENARIOS;
  const found = FAILOVER_SCENARIOS.find((name) => name === asked);
  return found === undefined ? null : [found];
}

async function drillPostgres(scenarios: readonly FailoverScenario[], synchronous: boolean): Promise<DrillReport[]> {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  say('a primary, a standby, PgBouncer, HAProxy, broker, Temporal and our own programs are started');
  const laboratory = await startPostgresLaboratory({ synchronous });
  const registry = join(repositoryRoot(), DEMO_REGISTRY);
  const reports: DrillReport[] = [];
  try {
    await Promise.all([laboratory.system.start('api'), laboratory.system.start('worker')]);
    await laboratory.system.derms('registry', 'apply', registry);
    await laboratory.system.start('simulator', ['--registry', registry, '--seed', '1']);
    await untilCalm(`${laboratory.system.apiUrl}/metrics`);
    for (const scenario of scenarios) {
      say(`\npostgres-failover, ${scenario}`);
      reports.push(
        await runPostgresFailoverHere(laboratory, {
          ...{ scenario, synchronous, runId: randomUUID(), signal: new AbortController().signal },
          onStep: (note) => say(`  ${note}`),
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
