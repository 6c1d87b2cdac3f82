import type { LoopRecord } from '../../db/control-loop-reads';
import type { DeviceCounts } from '../../db/devices';
import type { EmergencyStopRecord } from '../../db/emergency-stops';
import type { Quarantine } from '../../db/quarantine';
import type { Logger } from '../../observability/logger';
import { isLoopOk, loopTicks } from './loop-health';
import { keepSampling, type SampleResult } from './sampling';

export const DEPENDENCIES = ['database', 'broker', 'temporal'] as const;
export type Dependency = (typeof DEPENDENCIES)[number];

/** What health is made of: loops and devices of every tree, read together. */
export interface FleetSample {
  readonly loops: readonly LoopRecord[];
  readonly counts: readonly DeviceCounts[];
  /** Some of the offline ones by name. */
  readonly offline: readonly { readonly rootFeederId: string; readonly deviceId: string }[];
  /** In force; null when there is none. */
  readonly quarantine: Pick<Quarantine, 'since' | 'reason'> | null;
  /** In force; null when there is none. */
  readonly emergencyStop: Pick<EmergencyStopRecord, 'safeState' | 'reason' | 'engagedAt' | 'engagedBy'> | null;
}

export interface MonitorProbes {
  /** Each resolves when the dependency answers. They are bounded again by the monitor. */
  readonly dependencies: Readonly<Record<Dependency, () => Promise<unknown>>>;
  readonly fleet: () => Promise<FleetSample>;
  /** null when migrations are current, else what is missing. Asked until it was null once. */
  readonly schemaFault: () => Promise<string | null>;
}

export interface DependencyState {
  readonly up: boolean;
  /** Since when it is as it is. */
  readonly since: string;
  readonly reason: string | null;
}

export interface LoopState {
  readonly rootFeederId: string;
  readonly mode: LoopRecord['mode'];
  readonly enabled: boolean;
  readonly intervalSeconds: number;
  /** null while no cycle has finished, or when that cannot be read. */
  readonly lastCycleAgeSeconds: number | null;
  readonly ok: boolean;
  /** What became of its nominal ticks, of all time; null while it has never planned. */
  readonly ticks: LoopTicks | null;
  /** Enabled devices of the tree. */
  readonly devices: number;
  readonly offline: number;
  readonly stale: number;
  readonly notFollowing: number;
  readonly offlineDevices: readonly string[];
}

export interface LoopTicks {
  readonly onTime: number;
  readonly late: number;
  /** Those that have passed since the last plan included, while nobody plans. */
  readonly missed: number;
}

/** Everything is in memory: reading never waits for anybody. */
export interface HealthMonitor {
  /** The first look at everything, bounded. */
  start(): Promise<void>;
  stop(): void;
  dependency(name: Dependency): DependencyState;
  /** Roots as they were read last; not `ok` while they cannot be read. */
  loops(): readonly LoopState[];
  /** The quarantine that the database stands under, as it was read last. */
  quarantine(): FleetSample['quarantine'];
  /** The emergency stop in force, as it was read last. */
  emergencyStop(): FleetSample['emergencyStop'];
  /** The loops are from the present: they were read within the last seconds. */
  loopsReadable(): boolean;
  /** null when migrations are current. */
  schemaFault(): string | null;
}

/** Bound of every probe. */
const PROBE_MS = 2_000;
const DEPENDENCY_EVERY_MS = 1_000;
/**
 * A database whose pooler makes us wait does not answer either: the outage of a failover, some two seconds, must be on
 * the page.
 */
const PROBING: Readonly<Record<Dependency, { readonly withinMs: number; readonly everyMs: number }>> = {
  database: { withinMs: 1_000, everyMs: 500 },
  broker: { withinMs: PROBE_MS, everyMs: DEPENDENCY_EVERY_MS },
  temporal: { withinMs: PROBE_MS, everyMs: DEPENDENCY_EVERY_MS },
};
const FLEET_EVERY_MS = 2_000;
/** Older pictures of the fleet count as unreadable. */
const FLEET_FRESH_MS = 10_000;

export function createHealthMonitor(
  probes: MonitorProbes,
  { log, monotonicMs, now }: { log: Logger; monotonicMs: () => number; now: () => Date },
): HealthMonitor {
  const states = new Map<Dependency, DependencyState>();
  let fleet: { readonly sample: FleetSample; readonly atMs: number } | null = null;
  let fleetReadable = false;
  let schema: string | null = 'migrations have not been looked at yet';
  const stops: (() => void)[] = [];

  const onDependency =
    (name: Dependency) =>
    (result: SampleResult<unknown>): void => {
      const before = states.get(name);
      const reason = result.ok ? null : result.reason;
      const changed = before?.up !== result.ok;
      if (changed && result.ok && before !== undefined) log.info({ dependency: name }, 'dependency answers again');
      if (changed && !result.ok) log.warn({ dependency: name, reason }, 'dependency does not answer');
      states.set(name, { up: result.ok, since: changed ? now().toISOString() : before.since, reason });
    };
  const onFleet = (result: SampleResult<FleetSample>): void => {
    fleetReadable = result.ok;
    if (result.ok) fleet = { sample: result.value, atMs: monotonicMs() };
  };
  const onSchema = (result: SampleResult<string | null>): void => {
    if (schema === null) return; // current once is current: an outage later takes no replica out
    schema = result.ok ? result.value : `the schema cannot be read: ${result.reason}`;
  };
  const isReadable = (): boolean => fleetReadable && fleet !== null && monotonicMs() - fleet.atMs < FLEET_FRESH_MS;

  return {
    start: async () => {
      const samplers = [
        ...DEPENDENCIES.map((name) =>
          keepSampling({
            look: probes.dependencies[name],
            ...PROBING[name],
            onResult: onDependency(name),
          }),
        ),
        keepSampling({ look: probes.fleet, withinMs: PROBE_MS, everyMs: FLEET_EVERY_MS, onResult: onFleet }),
        keepSampling({
          look: () => (schema === null ? Promise.resolve(null) : probes.schemaFault()),
          withinMs: PROBE_MS,
          everyMs: DEPENDENCY_EVERY_MS,
          onResult: onSchema,
        }),
      ];
      stops.push(...samplers.map(({ stop }) => stop));
      await Promise.all(samplers.map(({ first }) => first));
    },
    stop: () => {
      for (const stop of stops) stop();
    },
    dependency: (name) =>
      states.get(name) ?? { up: false, since: now().toISOString(), reason: 'it has not been looked at yet' },
    loops: () => (fleet === null ? [] : loopStates(fleet.sample, (monotonicMs() - fleet.atMs) / 1000, isReadable())),
    quarantine: () => fleet?.sample.quarantine ?? null,
    emergencyStop: () => fleet?.sample.emergencyStop ?? null,
    loopsReadable: isReadable,
    schemaFault: () => schema,
  };
}

function loopStates(sample: FleetSample, elapsedSeconds: number, readable: boolean): LoopState[] {
  return sample.loops.map((loop) => {
    const read = loop.last?.finishedAgeSeconds ?? null;
    const ageSeconds = read === null ? null : read + elapsedSeconds;
    const counts = sample.counts.filter(({ rootFeederId }) => rootFeederId === loop.rootFeederId);
    const sum = (of: (count: DeviceCounts) => number): number => counts.reduce((total, count) => total + of(count), 0);
    return {
      rootFeederId: loop.rootFeederId,
      mode: loop.mode,
      enabled: loop.enabled,
      intervalSeconds: loop.intervalSeconds,
      lastCycleAgeSeconds: readable ? ageSeconds : null,
      ok: readable && isLoopOk(loop, ageSeconds),
      ticks: loop.last === null ? null : loopTicks(loop, loop.last, elapsedSeconds),
      devices: sum(({ total }) => total),
      offline: sum(({ offline }) => offline),
      stale: sum(({ stale }) => stale),
      notFollowing: sum(({ notFollowing }) => notFollowing),
      offlineDevices: sample.offline
        .filter(({ rootFeederId }) => rootFeederId === loop.rootFeederId)
        .map(({ deviceId }) => deviceId),
    };
  });
}
