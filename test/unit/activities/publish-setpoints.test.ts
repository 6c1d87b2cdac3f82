import { publishSetpoints } from '../../../activities/publish-setpoints';
import { topics } from '../../../contracts/topics';
import type { PendingSetpoint, PublishJob, PublishNode } from '../../../domain/control-cycle';

const NOW_MS = Date.parse('2026-07-01T17:00:00Z');
const PLAN = '6b1f2c1e-8f4c-4e53-9a44-0d4a7a1c5b11';

const ev = (deviceId: string, fromKw: number, targetKw: number): PendingSetpoint => ({
  deviceId,
  deviceType: 'ev',
  feederId: 'north',
  sign: null,
  targetKw,
  validUntilMs: NOW_MS + 60_000,
  rampKwPerS: 0.5,
  fromLowKw: fromKw,
  fromHighKw: fromKw,
  notes: 'bound by north',
});

/** Held at its import limit: whatever is raised must have been cut before. */
const north: PublishNode = {
  feederId: 'north',
  parentId: null,
  highKw: 20,
  lowKw: -50,
  plannedHighKw: 20,
  plannedLowKw: 0,
};
const job = (...setpoints: PendingSetpoint[]): PublishJob => ({
  plannedAtMs: NOW_MS,
  epoch: 3,
  emergencyStopId: null,
  setpoints,
  nodes: [north],
});

interface Scene {
  readonly job: PublishJob | null;
  /** Device ids that the broker does not acknowledge. */
  readonly lost?: readonly string[];
  readonly monotonicMs?: readonly number[];
  /** Of the emergency stop that is in force when it is asked for the first time, the second, and so on. */
  readonly stopIds?: readonly (string | null)[];
}

function scene({ job: loaded, lost = [], monotonicMs = [0], stopIds = [null] }: Scene) {
  const rounds: {
    keys: string[];
    payloads: Record<string, { payload: { constraints: object }; messageId: string; correlationId: string }>;
    allowed: boolean;
  }[] = [];
  const acknowledged: string[] = [];
  let finished = false;
  const clock = [...monotonicMs];
  const stops = [...stopIds];
  const stopId = (): string | null => (stops.length > 1 ? stops.shift()! : (stops[0] ?? null));
  const ports = {
    setpoints: {
      load: async () => loaded,
      isNewest: async () => true,
      acknowledge: async (_plan: string, _at: number, _epoch: number, ids: readonly string[]) => {
        acknowledged.push(...ids);
      },
      finish: async () => {
        finished = true;
      },
    },
    publisher: {
      publish: async (
        messages: readonly { key: string; payload: string }[],
        { mayStillPublish }: { mayStillPublish: () => boolean },
      ) => {
        rounds.push({
          keys: messages.map(({ key }) => key),
          payloads: Object.fromEntries(messages.map(({ key, payload }) => [key, JSON.parse(payload)])),
          allowed: mayStillPublish(),
        });
        return {
          acknowledged: messages.map(({ key }) => key).filter((key) => !lost.includes(key)),
          failed: messages.filter(({ key }) => lost.includes(key)).map(({ key }) => ({ key, reason: 'no PUBACK' })),
        };
      },
    },
    topics: topics('der'),
    messageId: (planId: string, deviceId: string) => `${planId}/${deviceId}`,
    objection: (emergencyStopId: string | null) =>
      emergencyStopId === stopId() ? null : 'an emergency stop came or went',
    now: () => NOW_MS,
    monotonicNow: () => clock.shift() ?? monotonicMs.at(-1)!,
  };
  const run = () =>
    publishSetpoints(ports, { rootFeederId: 'north', planId: PLAN, timeoutMs: 4_000 }, new AbortController().signal);
  return { run, rounds, acknowledged, isFinished: () => finished };
}

describe('publishSetpoints', () => {
  it('sends cuts first, raises after their acknowledgement, and then the cycle has gone all the way', async () => {
    const { run, rounds, acknowledged, isFinished } = scene({ job: job(ev('raised', 5, 10), ev('cut', 15, 10)) });
    expect(await run()).toEqual({ outcome: 'published', acknowledged: 2, withheld: 0, failed: 0 });
    expect(rounds.map(({ keys }) => keys)).toEqual([['cut'], ['raised']]);
    expect(acknowledged).toEqual(['cut', 'raised']);
    expect(isFinished()).toBe(true);
  });

  it('withholds a raise under a node whose cut was not acknowledged, and does not call the cycle finished', async () => {
    const { run, rounds, isFinished } = scene({
      job: job(ev('raised', 5, 10), ev('cut', 15, 10), ev('also-cut', 2, 1)),
      lost: ['cut'],
    });
    expect(await run()).toEqual({ outcome: 'published', acknowledged: 1, withheld: 1, failed: 1 });
    expect(rounds.map(({ keys }) => keys)).toEqual([['cut', 'also-cut']]);
    expect(isFinished()).toBe(false);
  });

  it('asks a device to ramp when it is raised, never when it is cut', async () => {
    const { run, rounds } = scene({ job: job(ev('raised', 5, 10), ev('cut', 15, 10)) });
    await run();
    expect(rounds[0]?.payloads['cut']?.payload.constraints).toEqual({});
    expect(rounds[1]?.payloads['raised']?.payload.constraints).toEqual({ rampRateKwPerS: 0.5 });
  });

  it('gives every message of a plan its id, and each device an id that a repeat has too', async () => {
    const { run, rounds } = scene({ job: job(ev('cut', 15, 10)) });
    await run();
    expect(rounds[0]?.payloads['cut']).toMatchObject({ correlationId: PLAN, messageId: `${PLAN}/cut` });
  });

  it('sends nothing of a plan that is not the newest any more', async () => {
    const { run, rounds } = scene({ job: null });
    expect(await run()).toMatchObject({ outcome: 'superseded' });
    expect(rounds).toEqual([]);
  });

  it.each`
    stopIds             | sent | case
    ${['stop-1']}       | ${0} | ${'nothing of a plan that knows nothing of the emergency stop in force'}
    ${[null, 'stop-1']} | ${1} | ${'nothing more once an emergency stop is in force'}
  `('sends $case', async ({ stopIds, sent }) => {
    const { run, rounds } = scene({ job: job(ev('cut', 15, 10)), stopIds: stopIds as (string | null)[] });
    await run().catch((error: unknown) => {
      expect(error).toMatchObject({
        code: 'BROKER_UNAVAILABLE',
        message: 'nothing is published: an emergency stop came or went',
      });
    });
    expect(rounds).toHaveLength(sent);
    expect(rounds.map(({ allowed }) => allowed)).not.toContain(true);
  });

  it('may send nothing once its time is nearly over', async () => {
    const { run, rounds } = scene({ job: job(ev('cut', 15, 10)), monotonicMs: [0, 3_800] });
    await run();
    expect(rounds[0]?.allowed).toBe(false);
  });

  it('fails by name when the broker acknowledges nothing at all', async () => {
    const { run } = scene({ job: job(ev('cut', 15, 10)), lost: ['cut'] });
    await expect(run()).rejects.toMatchObject({ code: 'BROKER_UNAVAILABLE' });
  });
});
