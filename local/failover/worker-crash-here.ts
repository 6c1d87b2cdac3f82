import type { DrillReport } from '../../drills/drill';
import { runDrill, type DrillOrder } from '../../drills/run-drill';
import { WORKER_SCENARIOS } from '../../drills/workers/acts';
import { workerCrash } from '../../drills/workers/worker-crash';
import type { TestSystem } from '../test-system';
import { openApplicationDatabase } from './application-database';
import { surroundingsHere } from './surroundings-here';

/** The name of the worker beside the first. */
export const SECOND_WORKER = 'second';

/** The same drill as the job's, on a system whose API and two workers run: the first of them is killed. */
export async function runWorkerCrashHere(system: TestSystem, order: DrillOrder): Promise<DrillReport> {
  const records = openApplicationDatabase(system, { timeoutMs: 10_000, poolSize: 1 });
  try {
    const drill = await workerCrash({
      scenario: WORKER_SCENARIOS[0],
      acts: {
        workers: () =>
          Promise.resolve(
            [system.running('worker'), system.replica(SECOND_WORKER)].filter((w) => w.isRunning()).length,
          ),
        crash: async () => {
          await system.running('worker').kill();
        },
        bringBack: async () => {
          await system.start('worker');
        },
      },
      database: openApplicationDatabase(system),
    });
    return await runDrill(drill, surroundingsHere(system, records), order);
  } finally {
    await records.close();
  }
}
