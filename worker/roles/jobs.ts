import { join } from 'node:path';
import { Client } from '@temporalio/client';
import { createJobActivities } from '../../activities/jobs';
import { temporalAccess } from '../../config/connections';
import { createJobRunStore } from '../../db/job-runs';
import { auditTicks } from '../../db/tick-audit';
import { loadJobs } from '../../jobs/runner/load-jobs';
import { scheduledRuns } from '../../jobs/runner/run-ids';
import { nominalTicks } from '../../jobs/runner/schedules';
import { createBrokerAgents } from '../../temporal/broker-agents';
import { connectLazily } from '../../temporal/client-connection';
import { closedWorkflow } from '../../temporal/closed-workflow';
import { createJobQueues } from '../../temporal/job-queues';
import { connectWhenReady, installRuntime } from '../../temporal/runtime';
import { TASK_QUEUES } from '../../workflows/messages';
import { startSealer } from '../../audit/sealer';
import { openBackupVault } from '../../backups/vault';
import { checkStorageRules } from '../../storage/bucket-check';
import { auditChainPort } from '../audit-chain-port';
import { untilNamespaceIsThere } from '../await-namespace';
import { databaseBackupPorts } from '../database-backup-ports';
import { drillPorts } from '../drill-ports';
import { removeDrillLeftovers } from '../drill-leftovers';
import { mqttBackupPorts } from '../mqtt-backup-ports';
import { keepStoringDeletions } from '../deletion-teller';
import { beginRole, openRoleDatabase, runRole, tellSecrets } from '../role-process';
import { secretsPort } from '../secrets-port';
import { tellStorageRules } from '../storage-rules';
import { startTemporalWorker } from '../temporal-worker';
import { drillFolder, restoreDrillPort } from '../restore-drill-port';
import { createTimeSeriesPort } from '../time-series-port';

/** Role `jobs`: runs of jobs; polls the jobs queue. May be away: what is asked for meanwhile waits for it. */
async function main(): Promise<void> {
  const role = await beginRole('jobs');
  const { settings, secrets, log, registry, shutdown, missing } = role;
  const db = await openRoleDatabase(role, 'jobs');
  const teller = tellSecrets(role, 'jobs', db);
  const vault = await openBackupVault(settings);
  if (vault === null)
    log.warn({}, 'the audit chain is not signed: BACKUP_STORAGE or BACKUP_ENCRYPTION_KEYS is not set');
  const sealer = startSealer(db, { keyRing: vault?.keyRing ?? null, log, registry }); // needs no Temporal
  shutdown.add('audit sealer', () => sealer.stop());
  if (vault !== null) {
    const deletions = keepStoringDeletions(db, vault, role); // needs no Temporal either
    shutdown.add('ledger of deletions', () => deletions.stop());
  }
  missing.add('Temporal');
  installRuntime(log, `${settings.METRICS_HOST}:${String(settings.TEMPORAL_METRICS_PORT)}`);
  const temporal = temporalAccess(settings, secrets);
  const connection = await connectWhenReady(temporal, log, new AbortController().signal);
  const clientConnection = connectLazily(temporal, { log });
  shutdown.add('Temporal client', () => clientConnection.close());
  const client = new Client({ connection: clientConnection, namespace: settings.TEMPORAL_NAMESPACE });
  await untilNamespaceIsThere(clientConnection, settings.TEMPORAL_NAMESPACE, log);

  const queues = createJobQueues(client);

  void removeDrillLeftovers(drillFolder(settings), log); // never rejects
  if (vault !== null) void tellStorageRules(() => checkStorageRules(settings), role); // never rejects
  await startTemporalWorker(role, {
    connection,
    access: temporal,
    taskQueue: TASK_QUEUES.jobs,
    workflowBundlePath: join(__dirname, '../../workflow-bundle.js'),
    activities: createJobActivities({
      jobs: loadJobs(),
      runs: createJobRunStore(db),
      closedAs: (workflowId) => closedWorkflow(client, workflowId),
      logOf: (fields) => log.child(fields),
      job: {
        now: () => new Date(),
        schedules: {
          audit: async (graceSeconds) => {
            const open = scheduledRuns(await queues.openRuns());
            return auditTicks(db, { nominalTicks, open, nowMs: Date.now(), graceSeconds });
          },
        },
        timeSeries: createTimeSeriesPort(db, settings, secrets),
        mqttBackup: mqttBackupPorts(settings, vault, db, createBrokerAgents(client)),
        databaseBackup: databaseBackupPorts(settings, secrets, vault, db),
        restoreDrill: restoreDrillPort(settings, vault, db),
        auditChain: auditChainPort(vault, db),
        secrets: secretsPort(db, teller),
        drills: drillPorts(role, db, (queue) => queues.workersOf(queue)),
      },
    }),
    maxConcurrentActivities: settings.JOBS_MAX_CONCURRENT,
  });
  missing.delete('Temporal');
  log.info('ready');
}

runRole(main);
