import { z } from 'zod';
import { timestampSchema } from '../schemas/fields';
import { modeSchema } from '../schemas/feeder';
import { DEPENDENCIES, type HealthMonitor, type LoopState } from './monitor';

const dependencySchema = z.strictObject({
  up: z.boolean(),
  since: timestampSchema.describe('Since when it is as it is, as this process saw it.'),
  reason: z.string().nullable(),
});

export const healthSchema = z
  .strictObject({
    status: z.enum(['ok', 'degraded']),
    quarantined: z.boolean().describe('Nothing is planned, published or written: see `GET /api/quarantine`.'),
    emergencyStopped: z.boolean().describe('Every device is sent to its safe state: see `GET /api/emergency-stop`.'),
    problems: z.array(z.string()).describe('What is wrong, a sentence each; empty when all is well.'),
    dependencies: z.strictObject({ database: dependencySchema, broker: dependencySchema, temporal: dependencySchema }),
    feeders: z
      .array(
        z.strictObject({
          feederId: z.string(),
          mode: modeSchema,
          intervalSeconds: z.number().int(),
          loop: z.enum(['ok', 'late', 'disabled', 'quarantined', 'unknown']),
          lastCycleAgeSeconds: z.number().nullable(),
          offlineDeviceCount: z.number().int(),
          offlineDevices: z.array(z.string()).describe('The first 20.'),
          staleDeviceCount: z.number().int(),
          notFollowingDeviceCount: z.number().int(),
        }),
      )
      .describe('One per feeder tree, by its root.'),
  })
  .meta({ id: 'Health' });

export type HealthReport = z.input<typeof healthSchema>;

/** How this process was started. */
export interface ProcessKind {
  readonly quarantined: boolean;
}

const DEPENDENCY_NAMES = { database: 'PostgreSQL', broker: 'the MQTT broker', temporal: 'Temporal' } as const;

/** From memory, at once, whatever hangs. */
export function healthReport(
  monitor: HealthMonitor,
  process: ProcessKind,
  otherProblems: readonly string[] = [],
): HealthReport {
  const quarantined = process.quarantined || monitor.quarantine() !== null;
  const readable = monitor.loopsReadable();
  const feeders = monitor.loops().map((loop) => ({
    feederId: loop.rootFeederId,
    mode: loop.mode,
    intervalSeconds: loop.intervalSeconds,
    loop: loopWord(loop, readable, quarantined),
    lastCycleAgeSeconds: loop.lastCycleAgeSeconds,
    offlineDeviceCount: loop.offline,
    offlineDevices: [...loop.offlineDevices],
    staleDeviceCount: loop.stale,
    notFollowingDeviceCount: loop.notFollowing,
  }));
  const problems = [
    ...emergencyProblems(monitor),
    ...quarantineProblems(monitor, process),
    ...dependencyProblems(monitor, process),
    ...feeders.flatMap(feederProblems),
    ...otherProblems,
  ];
  return {
    status: problems.length === 0 ? 'ok' : 'degraded',
    quarantined,
    emergencyStopped: monitor.emergencyStop() !== null,
    problems,
    dependencies: {
      database: monitor.dependency('database'),
      broker: monitor.dependency('broker'),
      temporal: monitor.dependency('temporal'),
    },
    feeders,
  };
}

type LoopWord = HealthReport['feeders'][number]['loop'];

function loopWord({ enabled, ok }: LoopState, readable: boolean, quarantined: boolean): LoopWord {
  if (!enabled) return 'disabled';
  if (!readable) return 'unknown';
  if (quarantined) return 'quarantined';
  return ok ? 'ok' : 'late';
}

function emergencyProblems(monitor: HealthMonitor): string[] {
  const stop = monitor.emergencyStop();
  if (stop === null) return [];
  const { safeState, engagedAt, engagedBy, reason } = stop;
  return [`EMERGENCY STOP (${safeState}) since ${engagedAt} by ${engagedBy}: ${reason}`];
}

function quarantineProblems(monitor: HealthMonitor, process: ProcessKind): string[] {
  const inForce = monitor.quarantine();
  return [
    ...(inForce === null ? [] : [`the database is quarantined since ${inForce.since}: ${inForce.reason}`]),
    ...(process.quarantined
      ? ['this process is quarantined: it knows no broker and no Temporal, and writes nothing']
      : []),
  ];
}

function dependencyProblems(monitor: HealthMonitor, process: ProcessKind): string[] {
  const asked = DEPENDENCIES.filter((name) => name === 'database' || !process.quarantined);
  const down = asked.map((name) => ({ name, ...monitor.dependency(name) })).filter(({ up }) => !up);
  const problems = down.map(
    ({ name, reason }) => `${DEPENDENCY_NAMES[name]} does not answer: ${reason ?? 'no reason'}`,
  );
  const schema = monitor.schemaFault();
  if (schema !== null && monitor.dependency('database').up) problems.push(schema);
  if (!monitor.loopsReadable()) problems.push('the state of feeders and devices cannot be read');
  return problems;
}

function feederProblems(feeder: HealthReport['feeders'][number]): string[] {
  const { feederId, loop, lastCycleAgeSeconds: age, offlineDeviceCount: offline, offlineDevices } = feeder;
  const problems: string[] = [];
  if (loop === 'late') {
    const last = age === null ? 'no cycle has finished yet' : `the last cycle finished ${age.toFixed(0)} s ago`;
    problems.push(`the control loop of ${feederId} is late: ${last}`);
  }
  if ((loop === 'ok' || loop === 'late') && offline > 0) {
    const named = offlineDevices.slice(0, 3).join(', ');
    const more = offline > 3 ? ` and ${String(offline - 3)} more` : '';
    problems.push(`${String(offline)} offline below ${feederId}: ${named}${more}`);
  }
  return problems;
}
