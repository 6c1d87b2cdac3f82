import type { JobContext } from '../../../jobs/runner/context';
import type { ClosedPartition, TimeSeriesPort } from '../../../jobs/runner/ports';
import { job } from '../../../jobs/telemetry-retention';

const aDay = (series: string, day: string) => ({
  series,
  name: `${series}_p${day}`,
  startsAt: day,
  endsAt: `after ${day}`,
  rowsAbout: 10,
});

const run = (input: object, timeSeries: Partial<TimeSeriesPort>, signal = new AbortController().signal) => {
  const warnings: unknown[] = [];
  const context = {
    runId: 'run-1',
    signal,
    log: { info: () => undefined, warn: (fields: object) => warnings.push(fields), error: () => undefined },
    progress: () => undefined,
    ports: { now: () => new Date(), timeSeries },
  } as unknown as JobContext; // the job asks for nothing else
  return { answer: job.steps[0]!.run(job.input.parse(input), context), warnings };
};

const world = (given: Partial<TimeSeriesPort> = {}): TimeSeriesPort & { closed: ClosedPartition[] } => {
  const closed: ClosedPartition[] = [];
  return {
    closed,
    heldBackBy: () => Promise.resolve(null),
    prepare: () => Promise.resolve(['telemetry_p20260301']),
    outdated: () => Promise.resolve([aDay('setpoints', '1'), aDay('telemetry', '1'), aDay('telemetry', '2')]),
    close: (name) => {
      const partition = { series: name.split('_')[0]!, name, rows: 5, carriedRows: 2, removed: true };
      closed.push(partition);
      return Promise.resolve(partition);
    },
    closedBy: () => Promise.resolve(closed),
    removeOldLines: () => Promise.resolve({ runLogLines: 3, refusedMessages: 4 }),
    ...given,
  };
};

it('says what it removed and what it made of it, by series', async () => {
  expect(await run({}, world()).answer).toEqual({
    dryRun: false,
    made: ['telemetry_p20260301'],
    closed: [
      { series: 'setpoints', partitions: 1, rows: 5, carriedRows: 2, first: 'setpoints_p1', last: 'setpoints_p1' },
      { series: 'telemetry', partitions: 2, rows: 10, carriedRows: 4, first: 'telemetry_p1', last: 'telemetry_p2' },
    ],
    leftForNextRun: [],
    runLogLines: 3,
    refusedMessages: 4,
  });
});

it('with dryRun says what is past its time, and touches nothing', async () => {
  const port = world({ prepare: () => Promise.reject(new Error('it made partitions')) });
  expect(await run({ dryRun: true }, port).answer).toEqual({
    dryRun: true,
    wouldClose: [
      { series: 'setpoints', partitions: 1, rowsAbout: 10, from: '1', to: 'after 1' },
      { series: 'telemetry', partitions: 2, rowsAbout: 20, from: '1', to: 'after 2' },
    ],
  });
  expect(port.closed).toEqual([]);
});

it('removes nothing from restored data that nobody has released, and says so', async () => {
  const port = world({ heldBackBy: () => Promise.resolve('the database is quarantined: restored from backup b-1') });
  await expect(run({}, port).answer).rejects.toThrow('the database is quarantined: restored from backup b-1');
  expect(port.closed).toEqual([]);
});

it('names what somebody still reads, and goes on with the rest', async () => {
  const port = world({
    close: (name) =>
      Promise.resolve(
        name === 'telemetry_p1'
          ? null
          : { series: 'x', name, rows: 0, carriedRows: 0, removed: name !== 'telemetry_p2' },
      ),
  });
  const { answer, warnings } = run({}, port);
  expect(await answer).toMatchObject({ leftForNextRun: ['telemetry_p1', 'telemetry_p2'] });
  expect(warnings).toEqual([{ partition: 'telemetry_p1' }, { partition: 'telemetry_p2' }]);
});

it('stops between two partitions when it is cancelled', async () => {
  const stop = new AbortController();
  const port = world();
  const close = port.close.bind(port);
  await expect(
    run({}, { ...port, close: (name, about) => (stop.abort(new Error('cancelled')), close(name, about)) }, stop.signal)
      .answer,
  ).rejects.toThrow('cancelled');
  expect(port.closed).toHaveLength(1);
});
