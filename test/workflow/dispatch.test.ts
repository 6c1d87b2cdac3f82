import { randomUUID } from 'node:crypto';
import { NativeConnection, Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import type { DispatchStep } from '../../domain/control-cycle';
import { createWorkflowStarter } from '../../temporal/workflow-starter';
import { dispatchStatusQuery, dispatchWorkflowId } from '../../workflows/messages';
import { recordHistory } from '../support/histories';
import { quietRuntime, workflowBundle } from '../support/runtime';
import { createTestNamespace, eventually, type TestNamespace } from '../support/servers';

let bundle: WorkflowBundleWithSourceMap;
let temporal: TestNamespace;
let connection: NativeConnection;

beforeAll(async () => {
  quietRuntime();
  bundle = await workflowBundle();
  temporal = await createTestNamespace();
  connection = await NativeConnection.connect({ address: temporal.address });
});
afterAll(async () => {
  await connection.close();
  await temporal.close();
});

/** A dispatch whose row goes through its window by the clock, as Postgres would have it. */
const rowWithWindow = (beginsAtMs: number, endsAtMs: number) => {
  const row = { state: 'scheduled', advanced: [] as string[] };
  const advanceDispatch = async (): Promise<DispatchStep> => {
    const now = Date.now();
    const before = row.state;
    if (row.state === 'scheduled' && now >= beginsAtMs) row.state = 'active';
    if (row.state === 'active' && now >= endsAtMs) row.state = 'completed';
    row.advanced.push(row.state);
    return {
      state: row.state,
      rootFeederId: 'no-such-root',
      changed: row.state !== before,
      nextAtMs: row.state === 'scheduled' ? beginsAtMs : row.state === 'active' ? endsAtMs : null,
      summary: `${row.state}: import ≤ 60 kW, asked by anna: heat wave`,
    };
  };
  return { row, advanceDispatch };
};

const withWorker = <T>(activities: object, story: () => Promise<T>): Promise<T> =>
  Worker.create({
    connection,
    namespace: temporal.namespace,
    taskQueue: 'control',
    workflowBundle: bundle,
    activities,
  }).then((worker) => worker.runUntil(story));

describe('the dispatch workflow', () => {
  it('goes from scheduled over active to completed at the times of its row, even when no loop listens', async () => {
    const { row, advanceDispatch } = rowWithWindow(Date.now() + 4_000, Date.now() + 5_000);
    await withWorker({ advanceDispatch }, async () => {
      const dispatchId = randomUUID();
      await createWorkflowStarter(temporal.client).startDispatch(dispatchId, 'north');
      const result: unknown = await temporal.client.workflow.getHandle(dispatchWorkflowId(dispatchId)).result();
      expect(result).toMatchObject({ state: 'completed', nextAtMs: null });
      await recordHistory(temporal.client, 'dispatch-completed', dispatchWorkflowId(dispatchId));
    });
    expect(row.advanced.filter((state, index, all) => state !== all[index - 1])).toEqual([
      'scheduled',
      'active',
      'completed',
    ]);
  });

  it('looks again when it is told that its row has changed', async () => {
    const { row, advanceDispatch } = rowWithWindow(Date.now() + 600_000, Date.now() + 700_000);
    await withWorker({ advanceDispatch }, async () => {
      const dispatchId = randomUUID();
      const starter = createWorkflowStarter(temporal.client);
      await starter.startDispatch(dispatchId, 'north');
      const handle = temporal.client.workflow.getHandle(dispatchWorkflowId(dispatchId));
      await eventually(async () =>
        expect(await handle.query(dispatchStatusQuery)).toMatchObject({ state: 'scheduled' }),
      );
      row.state = 'cancelled';
      await starter.tellDispatch(dispatchId);
      expect(await handle.result()).toMatchObject({ state: 'cancelled' });
      await recordHistory(temporal.client, 'dispatch-cancelled', dispatchWorkflowId(dispatchId));
    });
  });

  it('is started once, however often it is asked for', async () => {
    const { advanceDispatch } = rowWithWindow(Date.now() + 600_000, Date.now() + 700_000);
    await withWorker({ advanceDispatch }, async () => {
      const dispatchId = randomUUID();
      const starter = createWorkflowStarter(temporal.client);
      await starter.startDispatch(dispatchId, 'north');
      const handle = temporal.client.workflow.getHandle(dispatchWorkflowId(dispatchId));
      const first = await handle.describe();
      await starter.startDispatch(dispatchId, 'north');
      expect((await handle.describe()).runId).toBe(first.runId);
      await handle.terminate();
    });
  });
});
