import type { PendingSetpoint, PublishJob } from '../domain/control-cycle';
import { DermsError } from '../domain/errors';
import { publishOrder, raisesToWithhold, type Move } from '../domain/publish-order';
import { setpointMessage } from '../contracts/setpoint';
import type { Topics } from '../contracts/topics';
import type { SetpointPublisher, SetpointStore } from './ports';

export interface PublishSetpointsInput {
  readonly rootFeederId: string;
  readonly planId: string;
  /** Longest this attempt may take, ms; nothing is sent after it. */
  readonly timeoutMs: number;
}

export interface PublishResult {
  readonly outcome: 'published' | 'superseded';
  readonly acknowledged: number;
  /** Raises held back because a cut under the same node was not acknowledged. */
  readonly withheld: number;
  readonly failed: number;
}

export interface PublishSetpointsPorts {
  readonly setpoints: SetpointStore;
  readonly publisher: SetpointPublisher;
  readonly topics: Topics;
  readonly messageId: (planId: string, deviceId: string) => string;
  /** Why a plan made under this emergency stop (null: under none) may not be published at this broker; null when it may. */
  readonly objection: (emergencyStopId: string | null) => string | null;
  readonly now: () => number;
  /** Monotonic, ms. */
  readonly monotonicNow: () => number;
}

/** Named in each setpoint's `reason`. */
const ALLOCATOR = 'derms-level-curves';
/** Kept back from the attempt's time, so that what was acknowledged is still recorded within it. */
const RECORDING_RESERVE_MS = 250;
/** How often we look whether a newer plan was stored while publishing. */
const NEWEST_CHECK_MS = 100;

/**
 * Publishes a stored plan: cuts first, then the raises that the acknowledged cuts have room for. Records which
 * setpoints the broker acknowledged; the others are sent again by the next cycle. Never plans.
 *
 * Nothing is sent after the attempt's deadline (monotonic clock), after a setpoint's own validity, or once a newer
 * plan of this root is stored, or an emergency stop that is not the plan's own is in force.
 *
 * @throws {DermsError} `BROKER_UNAVAILABLE` when there is no broker.
 */
export async function publishSetpoints(
  ports: PublishSetpointsPorts,
  input: PublishSetpointsInput,
  signal: AbortSignal,
): Promise<PublishResult> {
  const deadline = ports.monotonicNow() + input.timeoutMs - RECORDING_RESERVE_MS;
  const job = await ports.setpoints.load(input.rootFeederId, input.planId);
  if (job === null) return { outcome: 'superseded', acknowledged: 0, withheld: 0, failed: 0 };
  const objection = ports.objection(job.emergencyStopId);
  if (objection !== null) throw new DermsError('BROKER_UNAVAILABLE', `nothing is published: ${objection}`);
  const watch = watchNewest(ports.setpoints, input);
  try {
    const maySend = (): boolean =>
      !watch.superseded && ports.monotonicNow() < deadline && ports.objection(job.emergencyStopId) === null;
    const attempt = new Attempt(ports, input, job, signal, maySend);
    return await attempt.run();
  } finally {
    watch.stop();
  }
}

class Attempt {
  private acknowledged = 0;
  private failed = 0;
  private withheld = 0;
  private readonly byDevice: ReadonlyMap<string, PendingSetpoint>;

  constructor(
    private readonly ports: PublishSetpointsPorts,
    private readonly input: PublishSetpointsInput,
    private readonly job: PublishJob,
    private readonly signal: AbortSignal,
    private readonly inTime: () => boolean,
  ) {
    this.byDevice = new Map(job.setpoints.map((setpoint) => [setpoint.deviceId, setpoint]));
  }

  async run(): Promise<PublishResult> {
    const moves = this.job.setpoints.map(moveOf);
    const { first, second } = publishOrder(moves, this.job.nodes);
    const unacknowledged = await this.send(first, 'cut');
    const raises = new Set(second);
    const held = raisesToWithhold({
      nodes: this.job.nodes,
      moves: moves.filter(({ deviceId }) => raises.has(deviceId)),
      unacknowledged: moves.filter(({ deviceId }) => unacknowledged.has(deviceId)),
    });
    this.withheld = held.size;
    await this.send(
      second.filter((deviceId) => !held.has(deviceId)),
      'raise',
    );
    if (this.failed === 0 && this.withheld === 0)
      await this.ports.setpoints.finish(this.input.rootFeederId, this.input.planId);
    return { outcome: 'published', acknowledged: this.acknowledged, withheld: this.withheld, failed: this.failed };
  }

  /** Sends and records; returns who was not acknowledged. */
  private async send(deviceIds: readonly string[], kind: 'cut' | 'raise'): Promise<Set<string>> {
    if (deviceIds.length === 0) return new Set();
    const nowMs = this.ports.now();
    const messages = deviceIds.map((deviceId) => this.message(deviceId, kind, nowMs));
    const { acknowledged, failed } = await this.ports.publisher.publish(messages, {
      signal: this.signal,
      mayStillPublish: this.inTime,
    });
    this.acknowledged += acknowledged.length;
    this.failed += failed.length;
    if (acknowledged.length > 0) {
      await this.ports.setpoints.acknowledge(this.input.planId, this.job.plannedAtMs, this.job.epoch, acknowledged);
    } else if (failed.length > 0) {
      throw new DermsError(
        'BROKER_UNAVAILABLE',
        `no setpoint was acknowledged: ${failed[0]?.reason ?? 'unknown reason'}`,
      );
    }
    return new Set(failed.map(({ key }) => key));
  }

  private message(
    deviceId: string,
    kind: 'cut' | 'raise',
    nowMs: number,
  ): { key: string; topic: string; payload: string; expirySeconds: number } {
    const setpoint = this.byDevice.get(deviceId);
    if (setpoint === undefined) throw new DermsError('INTERNAL', `no setpoint for ${deviceId}`);
    const message = setpointMessage({
      messageId: this.ports.messageId(this.input.planId, deviceId),
      planId: this.input.planId,
      deviceId,
      deviceType: setpoint.deviceType,
      sign: setpoint.sign,
      targetKw: setpoint.targetKw,
      validUntilMs: setpoint.validUntilMs,
      timestampMs: Math.round(this.job.plannedAtMs),
      // A restore ramp: devices would apply it to a cut as well.
      rampKwPerS: kind === 'raise' ? setpoint.rampKwPerS : null,
      allocator: ALLOCATOR,
      notes: setpoint.notes,
    });
    return {
      key: deviceId,
      topic: this.ports.topics.setpoint(setpoint.deviceType, deviceId),
      payload: JSON.stringify(message),
      expirySeconds: Math.max(1, Math.floor((setpoint.validUntilMs - nowMs) / 1000)),
    };
  }
}

const moveOf = ({ deviceId, deviceType, feederId, fromHighKw, fromLowKw, targetKw }: PendingSetpoint): Move => ({
  deviceId,
  deviceType,
  feederId,
  fromHighKw,
  fromLowKw,
  toKw: targetKw,
});

/** Looks now and then whether our plan is still the newest; a look that fails changes nothing. */
function watchNewest(
  store: SetpointStore,
  { rootFeederId, planId }: PublishSetpointsInput,
): { superseded: boolean; stop(): void } {
  const watch = {
    superseded: false,
    stop: () => {
      clearInterval(timer);
    },
  };
  const timer = setInterval(() => {
    store.isNewest(rootFeederId, planId).then(
      (newest) => {
        watch.superseded ||= !newest;
      },
      () => undefined, // the database is away: the deadline still bounds us, and recording will report it
    );
  }, NEWEST_CHECK_MS);
  return watch;
}
