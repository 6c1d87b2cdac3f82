import { directDatabaseAccess } from '../config/connections';
import type { Settings } from '../config/schema';
import type { Secrets } from '../config/secrets';
import { removeRefused, removeRefusedSenders, removeRunLines } from '../db/old-lines';
import { closePartition, listClosed, listOutdated } from '../db/partition-removal';
import type { Database } from '../db/pool';
import { quarantineReason } from '../db/quarantine';
import { keptFrom, prepareTimeSeries } from '../db/time-series-upkeep';
import { withUpkeepConnection } from '../db/upkeep-connection';
import type { TimeSeriesPort } from '../jobs/runner/ports';

const DAY_MS = 86_400_000;
const RUN_LOG_DAYS = 90;

/** Long work goes past the pooler, on a connection of its own. */
export function createTimeSeriesPort(db: Database, settings: Settings, secrets: Secrets): TimeSeriesPort {
  const direct = {
    ...directDatabaseAccess(settings, secrets),
    applicationName: `derms-retention-${settings.INSTANCE_ID}`,
  };
  const telemetryDays = settings.TELEMETRY_RETENTION_DAYS;
  return {
    heldBackBy: () => quarantineReason(db),
    prepare: () => prepareTimeSeries(db, Date.now(), telemetryDays),
    outdated: () => listOutdated(db, keptFrom(Date.now(), telemetryDays)),
    close: (name, { runId, signal }) =>
      withUpkeepConnection(direct, signal, (connection) => closePartition(connection, name, runId)),
    closedBy: (runId) => listClosed(db, runId),
    removeOldLines: async (signal) => {
      const beforeMs = Date.now() - telemetryDays * DAY_MS;
      await removeRefusedSenders(db, beforeMs, signal);
      return {
        runLogLines: await removeRunLines(db, Date.now() - RUN_LOG_DAYS * DAY_MS, signal),
        refusedMessages: await removeRefused(db, beforeMs, signal),
      };
    },
  };
}
