import { watchTaskQueues } from '../../../api/health/task-queue-metrics';
import { registerDrillSilenceMetrics } from '../../../api/health/drill-silence-metrics';
import { Registry } from '../../../observability/metrics';

const lines = async (registry: Registry, name: string): Promise<string[]> =>
  (await registry.getSingleMetricAsString(name)).split('\n').filter((line) => line.startsWith(name));

it('tells what waits in a queue of Temporal and who takes it, by kind of task', async () => {
  const registry = new Registry();
  const { first, stop } = watchTaskQueues(registry, ['control'], () =>
    Promise.resolve([
      { kind: 'workflow', backlog: 7, backlogAgeSeconds: 42, pollers: 0 },
      { kind: 'activity', backlog: 0, backlogAgeSeconds: 0, pollers: 2 },
    ]),
  );
  await first;
  stop();
  expect(await lines(registry, 'derms_task_queue_backlog')).toEqual([
    'derms_task_queue_backlog{queue="control",kind="workflow"} 7',
    'derms_task_queue_backlog{queue="control",kind="activity"} 0',
  ]);
  expect(await lines(registry, 'derms_task_queue_backlog_age_seconds')).toContain(
    'derms_task_queue_backlog_age_seconds{queue="control",kind="workflow"} 42',
  );
  expect(await lines(registry, 'derms_task_queue_pollers')).toEqual([
    'derms_task_queue_pollers{queue="control",kind="workflow"} 0',
    'derms_task_queue_pollers{queue="control",kind="activity"} 2',
  ]);
});

it('claims nothing about queues while Temporal does not answer', async () => {
  const registry = new Registry();
  const { first, stop } = watchTaskQueues(registry, ['control'], () => Promise.reject(new Error('away')));
  await first;
  stop();
  expect(await lines(registry, 'derms_task_queue_pollers')).toEqual([
    'derms_task_queue_pollers{queue="control",kind="workflow"} Nan',
    'derms_task_queue_pollers{queue="control",kind="activity"} Nan',
  ]);
});

it('keeps the time until which a drill has leave, also while the drill has taken the database away', async () => {
  const registry = new Registry();
  const reads = [() => Promise.resolve([{ jobName: 'postgres-failover-drill', until: 1_700_000_180 }])];
  let nowMs = 0;
  registerDrillSilenceMetrics(
    registry,
    () => (reads.shift() ?? (() => Promise.reject(new Error('away'))))(),
    () => nowMs,
  );
  const expected = 'derms_drill_silence_until_timestamp_seconds{job="postgres-failover-drill"} 1700000180';
  expect(await lines(registry, 'derms_drill_silence_until_timestamp_seconds')).toContain(expected);
  nowMs += 60_000;
  const after = await lines(registry, 'derms_drill_silence_until_timestamp_seconds');
  expect(after).toContain(expected);
  expect(after).toContain('derms_drill_silence_until_timestamp_seconds{job="mqtt-failover-drill"} 0');
});
