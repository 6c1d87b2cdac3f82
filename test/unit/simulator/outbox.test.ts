import { Outbox, type OutgoingMessage } from '../../../simulator/outbox';

describe('the outbox of an agent', () => {
  it('gives back what was put in, oldest first', () => {
    const outbox = new Outbox(10);
    for (const timestampMs of [1, 2, 3]) outbox.put(aMessage(timestampMs));

    expect(takeAll(outbox)).toEqual([1, 2, 3]);
    expect(outbox.size).toBe(0);
  });

  it('gives up the oldest when it is full, and counts them', () => {
    const outbox = new Outbox(3);
    for (const timestampMs of [1, 2, 3, 4, 5]) outbox.put(aMessage(timestampMs));

    expect(outbox.dropped).toBe(2);
    expect(takeAll(outbox)).toEqual([3, 4, 5]);
  });

  it('gives the newest of each topic first when it is told to, then the rest, oldest first', () => {
    const outbox = new Outbox(10);
    for (const [timestampMs, topic] of [
      [1, 'a'],
      [2, 'b'],
      [3, 'a'],
      [4, 'b'],
      [5, 'a'],
    ] as const)
      outbox.put(aMessage(timestampMs, topic));
    outbox.newestFirst();

    expect(outbox.take()?.timestampMs).toBe(5);
    outbox.put(aMessage(6, 'b')); // the connection breaks again
    outbox.newestFirst();
    expect(takeAll(outbox)).toEqual([3, 6, 1, 2, 4]);
  });

  it('gives up the oldest also behind those that go first, and no more than it must', () => {
    const outbox = new Outbox(3);
    for (const timestampMs of [1, 2, 3]) outbox.put(aMessage(timestampMs));
    outbox.newestFirst();
    for (const timestampMs of [4, 5]) outbox.put(aMessage(timestampMs));

    expect([outbox.size, outbox.dropped]).toEqual([3, 2]);
    expect(takeAll(outbox)).toEqual([3, 4, 5]);
  });

  it('keeps its order over many rounds', () => {
    const outbox = new Outbox(2_000);
    const seen: number[] = [];
    for (let n = 0; n < 10_000; n += 1) {
      outbox.put(aMessage(n));
      if (n % 3 > 0) seen.push(outbox.take()?.timestampMs ?? NaN);
    }
    seen.push(...takeAll(outbox));

    expect(seen).toHaveLength(10_000 - outbox.dropped);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(outbox.dropped).toBe(1_334);
  });
});

const aMessage = (timestampMs: number, topic = 't'): OutgoingMessage => ({
  topic,
  payload: '',
  kind: 'telemetry',
  sender: 'd',
  timestampMs,
});

function takeAll(outbox: Outbox): number[] {
  const taken: number[] = [];
  for (let next = outbox.take(); next !== undefined; next = outbox.take()) taken.push(next.timestampMs);
  return taken;
}
