import { join } from 'node:path';
import { createMaintenanceActivities } from '../../activities/maintenance';
import { maintainTimeSeries } from '../../db/time-series-upkeep';
import { connectWhenReady, installRuntime } from '../../temporal/runtime';
import { TASK_QUEUES } from '../../workflows/messages';
import { beginRole, openRoleDatabase, runRole } from '../role-process';
import { startTemporalWorker } from '../temporal-worker';

/** Role `jobs`: work that takes long or much; polls the jobs queue. One at a time leaves room for the loops. */
async function main(): Promise<void> {
  const role = await beginRole('jobs');
  const { settings, log, shutdown, missing } = role;
  const db = await openRoleDatabase(role, 'jobs');
  missing.add('Temporal');
  installRuntime(log, `${settings.METRICS_HOST}:${String(settings.TEMPORAL_METRICS_PORT)}`);
  const connection = await connectWhenReady(settings.TEMPORAL_ADDRESS, log, new AbortController().signal);
  shutdown.add('Temporal', () => connection.close());
  await startTemporalWorker(role, {
    connection,
    taskQueue: TASK_QUEUES.jobs,
    workflowBundlePath: join(__dirname, '../../workflow-bundle.js'),
    activities: createMaintenanceActivities({
      maintainTimeSeries: () => maintainTimeSeries(db, Date.now(), settings.TELEMETRY_RETENTION_DAYS),
    }),
    maxConcurrentActivities: 1,
  });
  missing.delete('Temporal');
  log.info('ready');
}

runRole(main);
