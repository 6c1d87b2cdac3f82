import fc from 'fast-check';
import { inParts } from '../../../ingest/in-parts';

/** Refuses a part that holds a bad number; takes all others whole. */
function store(bad: ReadonlySet<number>): {
  taken: number[];
  attempts: number;
  attempt: (part: readonly number[]) => Promise<string | null>;
} {
  const log = {
    taken: [] as number[],
    attempts: 0,
    attempt: (part: readonly number[]): Promise<string | null> => {
      log.attempts += 1;
      if (part.some((number) => bad.has(number))) return Promise.resolve('a bad number');
      log.taken.push(...part);
      return Promise.resolve(null);
    },
  };
  return log;
}

describe('work in parts', () => {
  it('is one attempt when nothing is refused', async () => {
    const log = store(new Set());
    await inParts([1, 2, 3], log.attempt, () => undefined);

    expect(log).toMatchObject({ taken: [1, 2, 3], attempts: 1 });
  });

  it('finds one culprit among 2,000 in two dozen attempts', async () => {
    const log = store(new Set([1_234]));
    const culprits: [number, string][] = [];
    await inParts([...Array(2_000).keys()], log.attempt, (item, detail) => culprits.push([item, detail]));

    expect(culprits).toEqual([[1_234, 'a bad number']]);
    expect(log.taken).toHaveLength(1_999);
    expect(log.attempts).toBeLessThanOrEqual(24);
  });

  it('takes every good one and names every bad one, in order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 60 }), async (isBad) => {
        const all = isBad.map((_, index) => index);
        const bad = all.filter((index) => isBad[index]);
        const log = store(new Set(bad));
        const culprits: number[] = [];
        await inParts(all, log.attempt, (item) => culprits.push(item));

        expect(culprits).toEqual(bad);
        expect(log.taken).toEqual(all.filter((index) => !isBad[index]));
      }),
    );
  });

  it('passes on a failure that is nobody’s fault', async () => {
    await expect(
      inParts(
        [1],
        () => Promise.reject(new Error('away')),
        () => undefined,
      ),
    ).rejects.toThrow('away');
  });
});
