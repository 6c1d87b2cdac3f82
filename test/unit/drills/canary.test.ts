import { startCanary, type CanaryProbe } from '../../../drills/canary';

/** A store that can be told to fail, to forget, and to show an older state. */
function aStore() {
  const rows = new Set<number>();
  const told = { failing: null as string | null, behind: 0 };
  const probe: CanaryProbe = {
    async write(seq) {
      if (told.failing !== null) throw new Error(told.failing);
      rows.add(seq);
    },
    read: async () => Math.max(0, ...rows) - told.behind,
    missing: async (seqs) => seqs.filter((seq) => !rows.has(seq)),
    everyMs: 1,
    close: () => Promise.resolve(),
  };
  return { rows, told, probe };
}

const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 1));
};

describe('a canary', () => {
  it('tells that nothing is lost, stale or failed while all is well', async () => {
    const { probe } = aStore();
    const canary = startCanary(probe);
    await until(() => canary.acknowledged() >= 20);
    const outcome = await canary.stop();
    expect(outcome).toMatchObject({ lost: 0, staleReads: 0, writes: { failed: 0 }, reads: { failed: 0 } });
    expect(outcome.acknowledged).toBeGreaterThanOrEqual(20);
  });

  it('repeats a write until it is acknowledged, and measures how long that took', async () => {
    const { probe, told } = aStore();
    let nowMs = 0;
    const canary = startCanary(probe, () => nowMs);
    await until(() => canary.acknowledged() >= 3);
    told.failing = 'connection refused';
    const before = canary.acknowledged();
    nowMs = 2_500;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(canary.acknowledged()).toBeLessThanOrEqual(before + 1); // one may have been on its way
    told.failing = null;
    await until(() => canary.acknowledged() >= before + 3);
    const { writes, acknowledged } = await canary.stop();
    expect(writes.gapMs).toBe(2_500);
    expect(writes.errors['connection refused']).toBeGreaterThan(0);
    expect(writes.attempts - writes.failed).toBe(acknowledged);
  });

  it('counts a gap that is still open when it ends', async () => {
    const { probe, told } = aStore();
    let nowMs = 0;
    const canary = startCanary(probe, () => nowMs);
    await until(() => canary.acknowledged() >= 1);
    told.failing = 'gone';
    await new Promise((resolve) => setTimeout(resolve, 20));
    nowMs = 9_000;
    expect((await canary.stop()).writes.gapMs).toBe(9_000);
  });

  it('looks up every acknowledged write, and names those that are gone', async () => {
    const { probe, rows } = aStore();
    const canary = startCanary(probe);
    await until(() => canary.acknowledged() >= 10);
    rows.delete(4);
    rows.delete(7);
    expect(await canary.stop()).toMatchObject({ lost: 2, lostSeqs: [4, 7] });
  });

  it('notices that an older copy answers', async () => {
    const { probe, told } = aStore();
    const canary = startCanary(probe);
    await until(() => canary.acknowledged() >= 5);
    told.behind = 3;
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect((await canary.stop()).staleReads).toBeGreaterThan(0);
  });
});
