import { RefusedSenders } from '../../../ingest/refused-senders';

let now: number;
beforeEach(() => {
  now = 0;
  jest.spyOn(performance, 'now').mockImplementation(() => now);
});
afterEach(() => {
  jest.restoreAllMocks();
});

describe('who sends what is refused', () => {
  it('is told every two seconds, by the end of the topic, the reason, and how fast', () => {
    const senders = new RefusedSenders('der');
    for (let message = 0; message < 500; message += 1) senders.note('too-many', 'der/telemetry/ev/ev-1');
    senders.note('malformed-json', 'der/telemetry/ev/ev-1');
    now = 1_999;
    expect(senders.takeDue()).toEqual([]);
    now = 2_500;
    expect(senders.takeDue()).toEqual([
      { sender: 'telemetry/ev/ev-1', reason: 'too-many', messages: 500, perSecond: 200 },
      { sender: 'telemetry/ev/ev-1', reason: 'malformed-json', messages: 1, perSecond: 0.4 },
    ]);
    now = 10_000;
    expect(senders.takeDue()).toEqual([]);
  });

  it('is bounded, whatever strangers call themselves: the rest is counted together', () => {
    const senders = new RefusedSenders('der');
    for (let stranger = 0; stranger < 5_000; stranger += 1)
      senders.note('topic-mismatch', `der/telemetry/ev/${String(stranger)}/${'x'.repeat(1_000)}`);
    now = 2_000;
    const due = senders.takeDue();
    expect(due).toHaveLength(1_001);
    expect(due.at(-1)).toMatchObject({ sender: '(others)', messages: 4_000 });
    expect(Math.max(...due.map(({ sender }) => sender.length))).toBe(160);
  });
});
