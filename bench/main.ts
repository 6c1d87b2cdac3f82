import { cpus, loadavg } from 'node:os';
import { benchmarkAllocation } from './allocation';
import { benchmarkAudit } from './audit';
import { benchmarkBackup } from './backup';
import { benchmarkCycle } from './cycle';
import { benchmarkCyclesUnderBackup } from './cycles-under-backup';
import { benchmarkDispatch } from './dispatch';
import { benchmarkEncryption } from './encryption';
import { benchmarkIngest } from './ingest';
import { benchmarkLoops } from './loops';
import { benchmarkLoopsAtProductionShape } from './loops-at-production-shape';
import { tableOf, type Benchmark, type BenchmarkRow } from './table';

const BENCHMARKS: Readonly<Record<string, Benchmark>> = {
  ingest: benchmarkIngest,
  cycle: benchmarkCycle,
  loops: benchmarkLoops,
  dispatch: benchmarkDispatch,
  allocation: benchmarkAllocation,
  encryption: benchmarkEncryption,
  backup: benchmarkBackup,
  audit: benchmarkAudit,
  'cycles-under-backup': benchmarkCyclesUnderBackup,
};

/** Only when named: it needs a set-up with --production-shape. */
const ON_REQUEST: Readonly<Record<string, Benchmark>> = {
  'loops-at-production-shape': benchmarkLoopsAtProductionShape,
};

/** `node dist/bench/main.js [names…]`: runs the named benchmarks, or all; exit code 1 when a target is missed. */
async function main(names: readonly string[]): Promise<void> {
  const known = { ...BENCHMARKS, ...ON_REQUEST };
  const unknown = names.filter((name) => !(name in known));
  if (unknown.length > 0) {
    throw new Error(`no such benchmark: ${unknown.join(', ')}; there are ${Object.keys(known).join(', ')}`);
  }
  console.log(`${String(cpus().length)} cores, Node ${process.version}, load before: ${loadOf()}`);
  const rows: BenchmarkRow[] = [];
  for (const [name, benchmark] of Object.entries(names.length === 0 ? BENCHMARKS : known)) {
    if (names.length > 0 && !names.includes(name)) continue;
    rows.push(...(await benchmark((line) => console.log(`${name}: ${line}`))));
  }
  console.log(`\n${tableOf(rows)}\n\nload after: ${loadOf()}`);
  if (rows.some(({ met }) => met === false)) process.exitCode = 1;
}

const loadOf = (): string =>
  loadavg()
    .map((load) => load.toFixed(1))
    .join(' ');

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
