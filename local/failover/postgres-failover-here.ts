import { liveDispatches, recordDrill } from '../../db/drill-reports';
import type { DrillReport } from '../../drills/drill';
import type { FailoverScenario } from '../../drills/postgres/acts';
import { postgresFailover } from '../../drills/postgres/postgres-failover';
import { runDrill, type DrillOrder } from '../../drills/run-drill';
import { laboratoryActs } from './laboratory-acts';
import type { PostgresLaboratory } from './laboratory';

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
    const surroundings = {
      metricsUrl: `${system.apiUrl}/metrics`,
      guardFacts: async () => ({
        deployment: 'development' as const,
        allowedInProduction: false,
        liveDispatches: await liveDispatches(records, 600),
      }),
      record: (report: DrillReport) => recordDrill(records, report),
    };
    return await runDrill(drill, surroundings, order);
  } finally {
    await records.close();
  }
}
