import { liveDispatches, recordDrill } from '../../db/drill-reports';
import type { Database } from '../../db/pool';
import type { DrillReport } from '../../drills/drill';
import type { DrillSurroundings } from '../../drills/run-drill';
import type { TestSystem } from '../test-system';

/** What a drill stands in on this machine; `records` keeps the reports. */
export const surroundingsHere = ({ apiUrl }: Pick<TestSystem, 'apiUrl'>, records: Database): DrillSurroundings => ({
  metricsUrl: `${apiUrl}/metrics`,
  guardFacts: async () => ({
    deployment: 'development',
    allowedInProduction: false,
    liveDispatches: await liveDispatches(records, 600),
  }),
  record: (report: DrillReport) => recordDrill(records, report),
});
