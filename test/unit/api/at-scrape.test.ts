import { readAtScrape } from '../../../api/health/at-scrape';

const never = (): Promise<never> => new Promise(() => undefined);

describe('figures that are read at a scrape', () => {
  it('are read once for all metrics of one scrape', async () => {
    let reads = 0;
    const figures = readAtScrape(
      () => Promise.resolve(++reads),
      0,
      () => 5_000,
    );
    expect([await figures(), await figures()]).toEqual([1, 1]);
  });

  it('stay what they were while the database hangs, and do not hold up the page', async () => {
    let nowMs = 0;
    const answers = [() => Promise.resolve('first'), never, () => Promise.resolve('asked beside one that hangs')];
    const figures = readAtScrape(
      () => answers.shift()!(),
      'none',
      () => nowMs,
    );
    expect(await figures()).toBe('first');
    for (nowMs of [2_000, 4_000]) {
      const askedAt = performance.now();
      expect(await figures()).toBe('first');
      expect(performance.now() - askedAt).toBeLessThan(800);
    }
  });
});
