import { appendAudit, listAudit } from '../db/audit';
import { exportAudit } from '../db/audit-export';
import { listBackups, readBackup } from '../db/backups';
import { approvePlan, orderLoop } from '../db/control-loop-orders';
import { listCycles, listLoops, readProposal } from '../db/control-loop-reads';
import { patchDevice } from '../db/device-changes';
import type { SilenceLimits } from '../db/device-record';
import { countDevices, listDevices, listOfflineDevices, readDevice } from '../db/devices';
import { decideDispatch } from '../db/dispatch-admission';
import {
  cancelDispatch,
  listDispatches,
  listDispatchesInForce,
  readClock,
  readDispatch,
  readLoopProgress,
} from '../db/dispatches';
import { readEmergencyStop } from '../db/emergency-stops';
import { listEnvelopes, setEnvelopes } from '../db/envelopes';
import { listFeeders, patchFeeder, putFeeder, readFeeder } from '../db/feeders';
import type { Database, Queryable } from '../db/pool';
import { liftQuarantine, listQuarantines, readQuarantine, readReconciliation } from '../db/quarantine';
import { listRefusedSenders } from '../db/refused-senders';
import { applyRegistry } from '../db/registry-apply';
import { readPresentTree, readStoredCycle } from '../db/stored-cycles';
import { issueMachineToken, listMachineTokens, revokeMachineToken } from '../db/machine-tokens';
import { listRevocations, revokeTokens } from '../db/token-revocations';
import { listMeterQuarterHours, listTelemetryQuarterHours } from '../db/quarter-hour-reads';
import { createDispatchProgress } from '../db/dispatch-progress';
import { listMeterReadings, listRefused, listSetpoints, listTelemetry } from '../db/telemetry-reads';
import type { PolicyNumbers } from '../db/tree-snapshot';
import type { FleetSample } from './health/monitor';
import type { AppPorts } from './ports';

export interface StoreOptions {
  readonly silence: SilenceLimits;
  readonly defaultIntervalSeconds: number;
  /** What a what-if is decided by: the same numbers as the loop's. */
  readonly policy: PolicyNumbers;
}

type Stores = Pick<
  AppPorts,
  | 'feeders'
  | 'loops'
  | 'devices'
  | 'telemetry'
  | 'dispatches'
  | 'registry'
  | 'envelopes'
  | 'backups'
  | 'plans'
  | 'quarantine'
  | 'machineTokens'
  | 'revocations'
  | 'audit'
>;

/** The API's ports as questions to Postgres. */
export const databaseStores = (db: Database, { silence, defaultIntervalSeconds, policy }: StoreOptions): Stores => ({
  feeders: {
    picture: async (rootFeederId) => {
      const [feeders, loops, counts, dispatches] = await Promise.all([
        listFeeders(db, rootFeederId),
        listLoops(db, { rootFeederId, nodes: 'with-nodes' }),
        countDevices(db, silence, rootFeederId),
        listDispatchesInForce(db, rootFeederId),
      ]);
      return { feeders, loops, counts, dispatches };
    },
    read: (feederId) => readFeeder(db, feederId),
    put: (change) => putFeeder(db, { ...change, defaultIntervalSeconds }),
    patch: (change) => patchFeeder(db, { ...change, defaultIntervalSeconds }),
  },
  loops: {
    read: async (rootFeederId) => (await listLoops(db, { rootFeederId, nodes: 'with-nodes' }))[0] ?? null,
    proposal: (rootFeederId) => readProposal(db, rootFeederId),
    cycles: (page) => listCycles(db, page),
    order: (order) => orderLoop(db, order),
    approve: (approval) => approvePlan(db, approval),
  },
  devices: {
    list: (filter) => listDevices(db, filter, silence),
    read: (deviceId) => readDevice(db, deviceId, silence),
    patch: (change) => patchDevice(db, change, silence),
    telemetry: (deviceId, page) => listTelemetry(db, deviceId, page),
    telemetryQuarterHours: (deviceId, page) => listTelemetryQuarterHours(db, deviceId, page),
    setpoints: (deviceId, page) => listSetpoints(db, deviceId, page),
  },
  telemetry: {
    meter: (feederId, page) => listMeterReadings(db, feederId, page),
    meterQuarterHours: (feederId, page) => listMeterQuarterHours(db, feederId, page),
    refused: (page) => listRefused(db, page),
    refusedSenders: (page) => listRefusedSenders(db, page),
  },
  dispatches: {
    decide: (order) => decideDispatch(db, order),
    list: (filter) => listDispatches(db, filter),
    read: (dispatchId) => readDispatch(db, dispatchId),
    cancel: (order) => cancelDispatch(db, order),
    clock: () => readClock(db),
    progress: (rootFeederId) => readLoopProgress(db, rootFeederId),
  },
  registry: { apply: (order) => applyRegistry(db, order, defaultIntervalSeconds) },
  quarantine: {
    inForce: () => readQuarantine(db),
    read: async () => {
      const [quarantines, lastReconciliation] = await Promise.all([
        listQuarantines(db, SHOWN_QUARANTINES),
        readReconciliation(db),
      ]);
      return { quarantines, lastReconciliation };
    },
    lift: async (order) => {
      const quarantine = await liftQuarantine(db, order);
      const { roots, dispatches } = await createDispatchProgress(db).wanted();
      return {
        quarantine,
        rootFeederIds: roots.map(({ rootFeederId }) => rootFeederId),
        openDispatchIds: dispatches.map(({ dispatchId }) => dispatchId),
      };
    },
  },
  backups: {
    list: (page) => listBackups(db, page),
    read: (backupId) => readBackup(db, backupId),
  },
  envelopes: {
    list: (page) => listEnvelopes(db, page),
    set: (order) => setEnvelopes(db, order),
  },
  plans: {
    cycle: (question) => readStoredCycle(db, question),
    present: (rootFeederId) => readPresentTree(db, rootFeederId, policy),
  },
  machineTokens: {
    list: (page) => listMachineTokens(db, page),
    issue: (order) => issueMachineToken(db, order),
    revoke: (order) => revokeMachineToken(db, order),
  },
  revocations: {
    list: (page) => listRevocations(db, page),
    revoke: (order) => revokeTokens(db, order),
  },
  audit: {
    list: (filter) => listAudit(db, filter),
    export: (span) => exportAudit(db, span),
    append: (actor, entry) => appendAudit(db, actor, entry),
  },
});

/** A system is restored seldom: all that anybody will want to see. */
const SHOWN_QUARANTINES = 20;

/** Offline devices that health names of each tree. */
const NAMED_OFFLINE_DEVICES = 20;

/** What health and its gauges look at. */
export async function readFleetSample(db: Queryable, silence: SilenceLimits): Promise<FleetSample> {
  const [loops, counts, offline, quarantine, emergencyStop] = await Promise.all([
    listLoops(db, { nodes: 'without-nodes' }),
    countDevices(db, silence),
    listOfflineDevices(db, silence, NAMED_OFFLINE_DEVICES),
    readQuarantine(db),
    readEmergencyStop(db),
  ]);
  return { loops, counts, offline, quarantine, emergencyStop };
}
