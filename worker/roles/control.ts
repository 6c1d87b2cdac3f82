import { join } from 'node:path';
import { Client } from '@temporalio/client';
import { v5 as uuidv5, v4 as uuidv4 } from 'uuid';
import { createControlActivities } from '../../activities';
import { watchEmergencyLatch } from '../../broker/emergency-latch';
import { openPairPublisher, type BrokerPublisher } from '../../broker/pair-publisher';
import { brokerAccess, temporalAccess } from '../../config/connections';
import { policyNumbers } from '../../config/policy';
import { topics } from '../../contracts/topics';
import { createDispatchProgress } from '../../db/dispatch-progress';
import { adoptEmergencyStop } from '../../db/emergency-stops';
import { createJobRunSupervision } from '../../db/job-run-supervision';
import { createJobRunStore } from '../../db/job-runs';
import { createPlanStore } from '../../db/plan-store';
import type { Database } from '../../db/pool';
import { createSetpointStore } from '../../db/setpoint-store';
import { planTree } from '../../domain/plan-tree';
import { setpointTtlSeconds } from '../../domain/setpoint-life';
import { connectLazily } from '../../temporal/client-connection';
import { closedWorkflow } from '../../temporal/closed-workflow';
import { createJobRunStarter } from '../../temporal/job-run-starter';
import { prepareNamespace } from '../../temporal/prepare-namespace';
import { connectWhenReady, installRuntime } from '../../temporal/runtime';
import { loadJobs } from '../../jobs/runner/load-jobs';
import { deployedSchedules } from '../../jobs/runner/schedules';
import { createWorkflowStarter } from '../../temporal/workflow-starter';
import { TASK_QUEUES } from '../../workflows/messages';
import { sayWhatWasMade, untilNamespaceIsThere } from '../await-namespace';
import { withControlMetrics } from '../control-metrics';
import { guardAgainstEmergencyStop, objectionOfAny, type BrokerGuard } from '../emergency-guard';
import { observePlans } from '../plan-metrics';
import { beginRole, openRoleDatabase, runRole, tellSecrets, type RoleProcess } from '../role-process';
import { keepSchedules } from '../schedule-keeper';
import { createScheduleRecords, recordSupervisorTick } from '../schedule-records';
import { startTemporalWorker } from '../temporal-worker';

const MAX_CONCURRENT_ACTIVITIES = 50;

/** Role `control`: plans and publishes; polls the control queue. */
async function main(): Promise<void> {
  const role = await beginRole('control');
  const { settings, secrets, log, registry, shutdown, missing } = role;
  const db = await openRoleDatabase(role, 'control');
  tellSecrets(role, 'control', db);
  const schedules = deployedSchedules(loadJobs(), settings.DEPLOYMENT, settings.JOB_SCHEDULES);
  missing.add('Temporal');
  installRuntime(log, `${settings.METRICS_HOST}:${String(settings.TEMPORAL_METRICS_PORT)}`);
  const temporal = temporalAccess(settings, secrets);
  const connection = await connectWhenReady(temporal, log, new AbortController().signal);
  const clientConnection = connectLazily(temporal, { log });
  shutdown.add('Temporal client', () => clientConnection.close());
  const client = new Client({ connection: clientConnection, namespace: settings.TEMPORAL_NAMESPACE });
  await untilNamespaceIsThere(clientConnection, settings.TEMPORAL_NAMESPACE, log);

  const setpoints = createSetpointStore(db);
  const publisher = openPairPublisher(
    { ...brokerAccess(settings, secrets), clientId: `derms-control-${settings.INSTANCE_ID}` },
    { log, registry, onNewSession: () => setpoints.beginBrokerSession() },
  );
  shutdown.add('broker', () => publisher.close());
  const guards = publisher.brokers.map((broker) => guardPublishing(role, broker, db));

  const dispatches = createDispatchProgress(db);
  const runs = createJobRunStore(db);
  const activities = createControlActivities({
    plan: {
      plans: createPlanStore(db, {
        ...policyNumbers(settings),
        setpointTtlSeconds,
      }),
      planTree,
      newPlanId: uuidv4,
      observe: observePlans(registry, () => performance.now()),
    },
    publish: {
      setpoints,
      publisher,
      topics: topics(settings.MQTT_TOPIC_PREFIX),
      messageId: (planId, deviceId) => uuidv5(deviceId, planId),
      objection: (emergencyStopId) => objectionOfAny(guards, emergencyStopId),
      now: Date.now,
      monotonicNow: () => performance.now(),
    },
    dispatches,
    supervision: dispatches,
    workflows: createWorkflowStarter(client),
    jobRuns: {
      runs: { ...createJobRunSupervision(db), settle: runs.settle },
      startJobRun: createJobRunStarter(client).startJobRun,
      closedAs: (workflowId) => closedWorkflow(client, workflowId),
    },
    ticks: { ran: (workflowId, atMs) => recordSupervisorTick(db, workflowId, atMs) },
  });
  await startTemporalWorker(role, {
    connection,
    access: temporal,
    taskQueue: TASK_QUEUES.control,
    workflowBundlePath: join(__dirname, '../../workflow-bundle.js'),
    activities: withControlMetrics(activities, registry),
    maxConcurrentActivities: MAX_CONCURRENT_ACTIVITIES,
  });
  shutdown.add(
    'schedules',
    keepSchedules({
      client,
      prepare: () => prepareNamespace(clientConnection, settings.TEMPORAL_NAMESPACE, sayWhatWasMade(log)),
      jobs: schedules,
      records: createScheduleRecords(db),
      log,
    }),
  );
  missing.delete('Temporal');
  log.info('ready');
}

/**
 * What each broker holds is heard over a connection of its own: the publisher's ends with everything it sent. A copy of a
 * lifted stop is cleared at the broker that holds it, never at the other one, which may hold a newer stop.
 */
function guardPublishing(
  { settings, log, shutdown }: RoleProcess,
  { options, publisher }: BrokerPublisher,
  db: Database,
): BrokerGuard {
  const prefix = settings.MQTT_TOPIC_PREFIX;
  const latch = watchEmergencyLatch(
    { ...options, prefix, clientId: `derms-control-${settings.INSTANCE_ID}-stop` },
    () => {
      guard.heard();
    },
    { log },
  );
  const guard = guardAgainstEmergencyStop({
    latch: () => latch.held,
    adopt: (held) => adoptEmergencyStop(db, { ...held, engagedAt: new Date(held.engagedAtMs).toISOString() }),
    clear: () => publisher.clearRetained(topics(prefix).emergencyStop),
    log,
  });
  shutdown.add('emergency stop', () => {
    guard.stop();
    return latch.close();
  });
  return { guard, isPublishedTo: () => publisher.connected };
}

runRole(main);
