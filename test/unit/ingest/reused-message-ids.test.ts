import { randomUUID } from 'node:crypto';
import { ReusedMessageIds } from '../../../ingest/reused-message-ids';

const ID = '8c9a4c52-6f0a-4d8e-9a52-3f1f2a3b4c5d';

describe('message ids', () => {
  it('that come with another time are noticed', () => {
    const ids = new ReusedMessageIds();
    ids.isReused(ID, 1_000);

    expect(ids.isReused(ID, 2_000)).toBe(true);
    expect(ids.isReused(ID, 3_000)).toBe(true);
  });

  it('that come again with the same time are the same message', () => {
    const ids = new ReusedMessageIds();
    ids.isReused(ID, 1_000);

    expect(ids.isReused(ID, 1_000)).toBe(false);
  });

  it('are not taken for one another', () => {
    const ids = new ReusedMessageIds();
    const mistaken = Array.from({ length: 300_000 }, (_, n) => ids.isReused(randomUUID(), n + 1)).filter(Boolean);

    expect(mistaken).toHaveLength(0);
  });

  it('are remembered over tens of thousands of others', () => {
    const ids = new ReusedMessageIds();
    const first = Array.from({ length: 10_000 }, () => randomUUID());
    for (const id of first) ids.isReused(id, 1_000);
    for (let n = 0; n < 10_000; n += 1) ids.isReused(randomUUID(), 1_000);

    expect(first.filter((id) => ids.isReused(id, 2_000)).length).toBeGreaterThan(8_000);
  });
});
