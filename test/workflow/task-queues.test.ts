import { createJobQueues } from '../../temporal/job-queues';
import { createTestNamespace, eventually, type TestNamespace } from '../support/servers';

const QUEUE = 'control';
let temporal: TestNamespace;

beforeEach(async () => {
  temporal = await createTestNamespace();
});
afterEach(() => temporal.close());

const state = async (kind: 'workflow' | 'activity') => {
  const found = await createJobQueues(temporal.client).queueState(QUEUE);
  return found.find((each) => each.kind === kind);
};

it('a queue tells what waits in it, for how long, and that nobody asks for it', async () => {
  await temporal.client.workflow.start('superviseControlLoops', { workflowId: 'waits', taskQueue: QUEUE });
  await eventually(async () => {
    expect(await state('workflow')).toMatchObject({ backlog: 1, pollers: 0 });
    expect((await state('workflow'))?.backlogAgeSeconds).toBeGreaterThan(0);
  }, 30_000);
  expect(await state('activity')).toEqual({ kind: 'activity', backlog: 0, backlogAgeSeconds: 0, pollers: 0 });
});
