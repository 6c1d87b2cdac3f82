import { Gauge, type Registry } from '../../observability/metrics';
import { keepSampling } from './sampling';

interface QueueState {
  readonly kind: string;
  readonly backlog: number;
  readonly backlogAgeSeconds: number;
  readonly pollers: number;
}

const EVERY_MS = 10_000;
const WITHIN_MS = 2_500;

const GAUGES: readonly {
  readonly name: string;
  readonly help: string;
  readonly of: (state: QueueState) => number;
}[] = [
  {
    name: 'derms_task_queue_backlog',
    help: 'Tasks in a queue of Temporal that no worker has taken; approximate.',
    of: ({ backlog }) => backlog,
  },
  {
    name: 'derms_task_queue_backlog_age_seconds',
    help: 'How long the oldest of them has waited; 0 when none does.',
    of: ({ backlogAgeSeconds }) => backlogAgeSeconds,
  },
  {
    name: 'derms_task_queue_pollers',
    help: 'Workers that have asked the queue for tasks within the last minute.',
    of: ({ pollers }) => pollers,
  },
];

/**
 * Whether somebody takes what Temporal hands out. Asked six times a minute, beside the scrapes; NaN while Temporal does not
 * answer, which `derms_temporal_up` says.
 */
export function watchTaskQueues(
  registry: Registry,
  queues: readonly string[],
  stateOf: (queue: string) => Promise<readonly QueueState[]>,
): { readonly first: Promise<void>; readonly stop: () => void } {
  let known: ReadonlyMap<string, readonly QueueState[]> | null = null;
  const { first, stop } = keepSampling({
    look: async () => new Map(await Promise.all(queues.map(async (queue) => [queue, await stateOf(queue)] as const))),
    withinMs: WITHIN_MS,
    everyMs: EVERY_MS,
    onResult: (result) => {
      known = result.ok ? result.value : null;
    },
  });
  for (const { name, help, of } of GAUGES) {
    new Gauge({
      name,
      help,
      labelNames: ['queue', 'kind'],
      registers: [registry],
      collect() {
        for (const queue of queues)
          for (const kind of ['workflow', 'activity']) {
            const state = known?.get(queue)?.find((each) => each.kind === kind);
            this.set({ queue, kind }, state === undefined ? NaN : of(state));
          }
      },
    });
  }
  return { first, stop };
}
