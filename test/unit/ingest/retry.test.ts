import { untilItWorks } from '../../../ingest/retry';
import { testLog } from '../../support/servers';

const failing = (times: number): (() => Promise<string>) => {
  let left = times;
  return () => {
    left -= 1;
    return left < 0 ? Promise.resolve('done') : Promise.reject(new Error('away'));
  };
};

describe('trying until it works', () => {
  it('answers what the first success answers, and tells of each failure before', async () => {
    const onFailure = jest.fn();
    const { signal } = new AbortController();

    await expect(untilItWorks(failing(2), { signal, log: testLog, onFailure })).resolves.toBe('done');
    expect(onFailure).toHaveBeenCalledTimes(2);
  });

  it('ends when it is told to, also in the middle of a pause', async () => {
    const abort = new AbortController();
    const trying = untilItWorks(failing(Infinity), {
      signal: abort.signal,
      log: testLog,
      onFailure: () => abort.abort(),
    });

    await expect(trying).rejects.toThrow(/aborted/);
  });
});
