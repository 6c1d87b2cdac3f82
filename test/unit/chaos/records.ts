import type {
  ChaosRecords,
  HeardSetpoint,
  LoopRecord,
  ProcessSample,
  StoredDispatch,
  StoredPlan,
} from '../../../chaos/records';

/** A moment of the run, s after its beginning. */
export const at = (seconds: number): number => 1_000_000_000_000 + seconds * 1_000;
const LASTS_SECONDS = 100;
const INTERVAL_SECONDS = 5;

export const plan = (cycle: number, more: Partial<StoredPlan> = {}): StoredPlan => ({
  ...{ planId: `plan-${String(cycle)}`, rootFeederId: 'root', chainId: 'chain-1', cycle },
  ...{ plannedAtMs: at(cycle * INTERVAL_SECONDS), intervalSeconds: INTERVAL_SECONDS },
  ...more,
});

/** As it is heard half a second after it was planned. */
export const heardOf = (cycle: number, more: Partial<HeardSetpoint> = {}): HeardSetpoint => ({
  ...{ heardAtMs: at(cycle * INTERVAL_SECONDS + 0.5), broker: 'broker-a', deviceId: 'ev-1', retained: false },
  ...{ messageId: `message-${String(cycle)}`, planId: `plan-${String(cycle)}`, targetPowerKw: 7 },
  ...{ timestampMs: at(cycle * INTERVAL_SECONDS), validUntilMs: at(cycle * INTERVAL_SECONDS + 60), expirySeconds: 59 },
  ...more,
});

export const dispatchOf = (more: Partial<StoredDispatch> = {}): StoredDispatch => ({
  ...{ dispatchId: 'dispatch-1', feederId: 'root', state: 'completed', beginsAtMs: at(20), endsAtMs: at(60) },
  ...{ importLimitKw: 60, exportLimitKw: null, hasReport: true },
  history: [
    { revision: 1, state: 'scheduled', reason: 'hot', atMs: at(15) },
    { revision: 2, state: 'active', reason: 'its time came', atMs: at(20) },
    { revision: 3, state: 'completed', reason: 'its time is over', atMs: at(60) },
  ],
  ...more,
});

export const loop = (more: Partial<LoopRecord> = {}): LoopRecord => ({
  ...{ rootFeederId: 'root', intervalSeconds: INTERVAL_SECONDS, servedTicks: 18, missedTicks: 2, uncountedTicks: 0 },
  ...{ newestCycleAtMs: at(LASTS_SECONDS - 2), ...more },
});

export const sample = (name: string, residentMb: number, fileHandles: number): ProcessSample => ({
  ...{ name, residentMb, fileHandles },
});

/** A run in which all is well: one charger, a reading each five seconds, a cycle each five seconds, one dispatch. */
export function goodRecords(): ChaosRecords {
  const seconds = Array.from({ length: LASTS_SECONDS / 5 }, (_, index) => index * 5);
  const cycles = Array.from({ length: LASTS_SECONDS / INTERVAL_SECONDS }, (_, index) => index + 1);
  const last = cycles.length;
  return {
    ...{ beganAtMs: at(0), calmAtMs: at(80), endedAtMs: at(LASTS_SECONDS) },
    faults: [{ target: 'broker-a', kind: 'kill', beganAtMs: at(40), endedAtMs: at(44) }],
    telemetry: {
      acknowledged: seconds.map((second) => ({
        ...{ deviceId: 'ev-1', timestampMs: at(second), acknowledgedAtMs: at(second + 0.1), brokerIndex: 0 },
      })),
      stored: seconds.map((second) => ({
        ...{ deviceId: 'ev-1', sampledAtMs: at(second), receivedAtMs: at(second + 0.2) },
      })),
      ...{ brokers: ['broker-a', 'broker-b'], autosaveMs: 5_000 },
    },
    setpoints: {
      heard: cycles.map((cycle) => heardOf(cycle)),
      retained: [heardOf(last, { retained: true, heardAtMs: at(LASTS_SECONDS + 1) })],
      plans: cycles.map((cycle) => plan(cycle)),
      standing: [{ deviceId: 'ev-1', planId: `plan-${String(last)}`, validUntilMs: at(LASTS_SECONDS + 60) }],
    },
    limits: {
      feeders: [{ feederId: 'root', rootFeederId: 'root', importLimitKw: 100, exportLimitKw: 50 }],
      devices: [{ deviceId: 'ev-1', rootFeederId: 'root' }],
      flows: Array.from({ length: LASTS_SECONDS }, (_, second) => ({
        ...{ atMs: at(second), feederId: 'root', flowKw: second > 40 && second < 62 ? 59 : 95, householdsKw: 30 },
      })),
    },
    dispatches: {
      asked: [{ idempotencyKey: 'key-1', status: 202, dispatchId: 'dispatch-1', attempts: 2, cancelled: false }],
      stored: [dispatchOf()],
    },
    runs: [{ runId: 'run-1', jobName: 'db-backup', state: 'succeeded', finished: true, reason: null }],
    runsAccepted: 1,
    loops: [loop()],
    processes: {
      before: [sample('api', 100, 40), sample('worker-1', 80, 30)],
      after: [sample('api', 120, 45), sample('worker-1', 85, 30)],
      ...{ countBefore: 12, countAfter: 12, sessionsBefore: 20, sessionsAfter: 22, leftOver: [] },
    },
  };
}
