import { randomUUID } from 'node:crypto';
import { Intake, type IntakeOptions } from '../../../ingest/intake';
import { Refusals } from '../../../ingest/refusals';

const telemetry = (messageId: string = randomUUID(), timestampMs: number = Date.now()): Buffer =>
  Buffer.from(
    JSON.stringify({
      v: 1,
      messageType: 'telemetry',
      messageId,
      deviceId: 'ev-1',
      deviceType: 'ev',
      timestampMs,
      payload: { readings: { powerKw: 1 }, status: { online: true } },
    }),
  );
const TOPIC = 'a/b/telemetry/ev/ev-1';

function anIntake(options: Partial<IntakeOptions> = {}) {
  const refusals = new Refusals('der');
  const dropped = jest.fn();
  const intake = new Intake(
    {
      topicPrefix: 'a/b',
      maxPayloadBytes: 1_000,
      maxAgeMs: 86_400_000,
      batchRows: 3,
      batchWaitMs: 10_000,
      deviceAllowance: { burst: 1_000, perSecond: 1 },
      mostWaiting: 5,
      onDropped: dropped,
      ...options,
    },
    refusals,
  );
  return { intake, refusals, dropped };
}

describe('the intake', () => {
  it('hands out a batch as soon as it is full', async () => {
    const { intake } = anIntake();
    const next = intake.next();
    for (let sequence = 1; sequence <= 4; sequence += 1) intake.receive(TOPIC, telemetry(), sequence, 1);

    expect(await next).toMatchObject({ size: 3, lastSequence: 3 });
    intake.close();
    expect(await intake.next()).toMatchObject({ size: 1, lastSequence: 4 });
    expect(await intake.next()).toBeNull();
  });

  it('hands out what there is when it has waited long enough', async () => {
    const { intake } = anIntake({ batchWaitMs: 20 });
    const next = intake.next();
    intake.receive(TOPIC, telemetry(), 1, 1);

    const batch = await next;
    expect(batch).toMatchObject({ size: 1, lastSequence: 1 });
    expect(batch?.waitedMs).toBeGreaterThanOrEqual(20);
  });

  it('ends while it waits for a first message', async () => {
    const { intake } = anIntake();
    const next = intake.next();
    intake.close();

    expect(await next).toBeNull();
  });

  it('takes nothing after it was closed', async () => {
    const { intake } = anIntake();
    intake.close();
    intake.receive(TOPIC, telemetry(), 1, 1);

    expect(await intake.next()).toBeNull();
  });

  it('acknowledges refused messages with their batch, and keeps none of them', async () => {
    const { intake, refusals } = anIntake();
    intake.receive('a/b/telemetry/ev/ev-2', telemetry(), 1, 1);
    intake.receive('a/b/meters/oak-street', Buffer.from('{'), 2, 1);
    intake.receive('elsewhere', telemetry(), 3, 1);

    expect(await intake.next()).toMatchObject({
      samples: [],
      measurements: [],
      received: { telemetry: 1, measurement: 1, other: 1 },
      lastSequence: 3,
    });
    expect(refusals.takeCounts()).toEqual([
      ['topic-mismatch', 2],
      ['malformed-json', 1],
    ]);
  });

  it('drops messages with QoS 0, which nobody holds back, while too many wait', async () => {
    const { intake, dropped } = anIntake();
    for (let n = 0; n < 8; n += 1) intake.receive(TOPIC, telemetry(), 0, 0);
    expect(dropped).toHaveBeenCalledTimes(3);

    intake.receive(TOPIC, telemetry(), 1, 1);
    expect(dropped).toHaveBeenCalledTimes(3);

    await intake.next();
    intake.receive(TOPIC, telemetry(), 1, 0);
    expect(dropped).toHaveBeenCalledTimes(3);
  });

  it('counts message ids that come again with another time', async () => {
    const { intake } = anIntake();
    const now = Date.now();
    intake.receive(TOPIC, telemetry('8c9a4c52-6f0a-4d8e-9a52-3f1f2a3b4c5d', now - 1), 1, 1);
    intake.receive(TOPIC, telemetry('8c9a4c52-6f0a-4d8e-9a52-3f1f2a3b4c5d', now - 1), 2, 1);
    intake.receive(TOPIC, telemetry('8c9a4c52-6f0a-4d8e-9a52-3f1f2a3b4c5d', now), 3, 1);

    expect(await intake.next()).toMatchObject({ reusedMessageIds: 1 });
  });
});

describe('a device that floods', () => {
  it('is refused what is over its allowance, in its turn, and others are not', async () => {
    const { intake, refusals } = anIntake({ batchRows: 8, deviceAllowance: { burst: 2, perSecond: 1 } });
    for (let sequence = 1; sequence <= 6; sequence += 1) intake.receive(TOPIC, telemetry(), sequence, 1);
    intake.receive('a/b/telemetry/ev/ev-2', other(), 7, 1);
    intake.receive('a/b/meters/feeder', Buffer.from('{'), 8, 1);

    const batch = await intake.next();
    expect(batch?.samples.map((sample) => sample.telemetry.deviceId)).toEqual(['ev-1', 'ev-1', 'ev-2']);
    expect([batch?.size, batch?.lastSequence]).toEqual([8, 8]);
    expect(refusals.takeCounts()).toEqual([
      ['too-many', 4],
      ['malformed-json', 1],
    ]);
  });

  const other = (): Buffer => Buffer.from(telemetry().toString().replace('ev-1', 'ev-2'));
});
