import type { DrillReport } from '../../drills/drill';
import type { FailoverScenario } from '../../drills/postgres/acts';
import { postgresFailover } from '../../drills/postgres/postgres-failover';
import { runDrill, type DrillOrder } from '../../drills/run-drill';
import { laboratoryActs } from './laboratory-acts';
import type { PostgresLaboratory } from './laboratory';
import { surroundingsHere } from './surroundings-here';

export interface FailoverHere extends DrillOrder {
  readonly scenario: FailoverScenario;
  /** As the laboratory was made. */
  readonly synchronous: boolean;
}

/** The same drill as the job's, on a laboratory whose API runs. */
export async function runPostgresFailoverHere(
  laboratory: PostgresLaboratory,
  { scenario, synchronous, ...order }: FailoverHere,
): Promise<DrillReport> {
  const { system, pair, front } = laboratory;
  const records = laboratory.openApplicationDatabase({ timeoutMs: 10_000, poolSize: 1 });
  try {
    const drill = postgresFailover({
      ...{ scenario, synchronous, runId: order.runId },
      acts: laboratoryActs({ runId: order.runId, pair, front }),
      database: laboratory.openApplicationDatabase(),
    });
    return await runDrill(drill, surroundingsHere(system, records), order);
  } finally {
    await records.close();
  }
}
