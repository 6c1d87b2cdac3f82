import { userInfo } from 'node:os';
import { parseArgs } from 'node:util';
import { Client } from '@temporalio/client';
import { withRetainedSetpoints } from '../broker/retained-setpoints';
import {
  BROKER_SETTINGS,
  brokerAccess,
  DATABASE_SETTINGS,
  databaseAccess,
  TEMPORAL_SETTINGS,
  temporalAccess,
} from '../config/connections';
import { loadSomeSettings } from '../config/load';
import { Secrets } from '../config/secrets';
import { backupCatalogue } from '../db/backup-catalogue';
import { readKnownDevices } from '../db/known-devices';
import { openDatabase, type Database } from '../db/pool';
import { readQuarantine, storeReconciliation } from '../db/quarantine';
import { endPastDispatches, reconcileDispatches } from '../db/reconcile-dispatches';
import { reconcileRuns } from '../db/reconcile-runs';
import { loadJobs } from '../jobs/runner/load-jobs';
import { slotsOf } from '../jobs/runner/places';
import { runIdOfWorkflow } from '../jobs/runner/run-ids';
import { createLogger } from '../observability/logger';
import { connectLazily } from '../temporal/client-connection';
import { endControlLoop, readWorkflowTraces } from '../temporal/workflow-traces';
import { reconcileBackups } from './reconcile/backups';
import { openBackupVault, VAULT_SETTINGS, type BackupVault } from './vault';
import { compare, type ReconcilePorts, type ReconcileReport } from './reconcile/compare';

const USAGE = `npm run reconcile -- [--apply] [--json]

  --apply  settle what can be settled; without it nothing is changed but the report that is stored
  --json   the report as JSON on standard output

Compares a restored, quarantined database with Temporal, the broker and the storage of backups: docs/runbooks/restore.md.
Ends with 0: nothing is open; 1: it could not be done; 2: wrong use; 3: findings are open.`;

const SETTINGS = [
  ...DATABASE_SETTINGS,
  ...BROKER_SETTINGS,
  ...TEMPORAL_SETTINGS,
  ...(['DB_QUERY_TIMEOUT_MS', 'MQTT_TOPIC_PREFIX'] as const),
  ...VAULT_SETTINGS,
] as const;
type ReconcileSettings = ReturnType<typeof loadSomeSettings<(typeof SETTINGS)[number]>>;

/** Clocks of the servers may differ, and a backup's moment is that of its snapshot. */
const MARGIN_MS = 600_000;
const secrets = new Secrets(process.env);
const log = createLogger({ service: 'derms', role: 'reconcile', level: 'fatal', pretty: false, secrets: secrets.seen });

/** `npm run reconcile`. */
async function main(argv: readonly string[]): Promise<number> {
  const flag = { type: 'boolean', default: false } as const;
  const { values } = parseArgs({ args: [...argv], options: { apply: flag, json: flag, help: flag } });
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const settings = loadSomeSettings(SETTINGS, process.env);
  const db = database(settings);
  const connection = connectLazily(temporalAccess(settings, secrets));
  try {
    const quarantine = await readQuarantine(db);
    if (quarantine === null) throw new Error('The database is not quarantined: there is nothing to reconcile.');
    const { restoredFrom, dataAsOf } = quarantine;
    const client = new Client({ connection, namespace: settings.TEMPORAL_NAMESPACE });
    const vault = await openBackupVault(settings);
    const given = { db, client, vault, restoredFrom, dataAsOf: dataAsOf ?? quarantine.since, apply: values.apply };
    const report = await compare(portsOf(settings, given), given);
    const by = userInfo().username;
    await storeReconciliation(db, { by, applied: values.apply, open: report.open, report });
    process.stdout.write(values.json ? `${JSON.stringify(report, null, 2)}\n` : told(report));
    return report.open === 0 ? 0 : 3;
  } finally {
    await connection.close();
    await db.close();
  }
}

function portsOf(
  settings: ReconcileSettings,
  given: {
    readonly db: Database;
    readonly client: Client;
    readonly vault: BackupVault | null;
    readonly restoredFrom: string | null;
    readonly dataAsOf: string;
    readonly apply: boolean;
  },
): ReconcilePorts {
  const { db, client, vault, dataAsOf, apply } = given;
  const jobs = loadJobs();
  const broker = {
    ...brokerAccess(settings, secrets),
    prefix: settings.MQTT_TOPIC_PREFIX,
    clientId: `derms-reconcile-${String(process.pid)}`,
  };
  return {
    readTemporal: () => readWorkflowTraces(client, Date.parse(dataAsOf) - MARGIN_MS),
    endControlLoop: (workflowId) => endControlLoop(client, workflowId, `reconcile: restored as of ${dataAsOf}`),
    reconcileDispatches: (traces) => reconcileDispatches(db, traces, apply),
    endPastDispatches: () => endPastDispatches(db, apply),
    reconcileRuns: (traces) =>
      reconcileRuns(
        db,
        traces,
        {
          runIdOf: ({ runId, workflowId }) => runId ?? runIdOfWorkflow(workflowId),
          placesOf: (jobName) => {
            const job = jobs.get(jobName);
            return job === undefined ? null : slotsOf(job);
          },
        },
        apply,
      ),
    reconcileBackups:
      vault === null ? null : () => reconcileBackups({ ...vault, catalogue: backupCatalogue(db) }, given),
    knownDevices: () => readKnownDevices(db),
    withRetainedSetpoints: (work) => withRetainedSetpoints(broker, log, work),
  };
}

const database = (settings: ReconcileSettings): Database =>
  openDatabase(
    {
      ...databaseAccess(settings, secrets),
      poolSize: 2,
      queryTimeoutMs: settings.DB_QUERY_TIMEOUT_MS,
      applicationName: 'derms-reconcile',
    },
    log,
  );

function told({ findings, open, applied, dataAsOf }: ReconcileReport): string {
  const lines = findings.map(
    ({ outcome, kind, subject, detail }) => `${outcome.padEnd(5)} ${kind} ${subject}: ${detail}`,
  );
  const next =
    open === 0
      ? 'Nothing is open: npm run derms -- quarantine lift --reason "…"'
      : `${String(open)} open.${applied ? ' What says "open" a person has to settle.' : ' With --apply what says "would" is settled.'}`;
  return [`The database shows ${dataAsOf}.`, ...lines, next, ''].join('\n');
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(error instanceof TypeError && 'code' in error ? 2 : 1);
  },
);
