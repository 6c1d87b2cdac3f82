import { openDatabase } from '../db/pool';
import { startProductionShape } from '../local/production-shape/shape';
import { createLogger } from '../observability/logger';
import { cpuSecondsOfTree } from './cpu';
import { LOOPS_ENVIRONMENT, measureLoops } from './loops';
import type { Benchmark } from './table';

const WORKERS = /^(control|ingest|jobs)-/;

/** The same 300 loops on the production-shaped run: production's Temporal server, TLS, a standby, two of everything. */
export const benchmarkLoopsAtProductionShape: Benchmark = async (say) => {
  const shape = await startProductionShape({ say, env: LOOPS_ENVIRONMENT });
  const { host, port, user, password } = shape.database.pair.primary().login;
  const db = openDatabase(
    {
      ...{ host, port, user, password, database: 'derms', poolSize: 2 },
      ...{ connectTimeoutMs: 5_000, queryTimeoutMs: 60_000, applicationName: 'derms-bench' },
    },
    createLogger({ service: 'derms', role: 'bench', level: 'warn', pretty: false }),
  );
  const cpuOf = (fits: (name: string) => boolean): number =>
    shape.parts
      .all()
      .filter(({ name }) => fits(name))
      .reduce((sum, part) => sum + cpuSecondsOfTree(part.process().pid), 0);
  try {
    return await measureLoops(
      'loops-at-production-shape',
      {
        db,
        startWorkers: () => Promise.resolve(), // they run
        startFleet: (args) => shape.programs.start('simulator', args),
        cpu: () => ({
          worker: cpuOf((name) => WORKERS.test(name)),
          temporal: cpuOf((name) => name === 'temporal'),
        }),
      },
      say,
    );
  } finally {
    await db.close();
    await shape.stop();
  }
};
