import { Client } from '@temporalio/client';
import { connectLazily, type TemporalConnection } from '../../../temporal/client-connection';
import { createWorkflowGateway } from '../../../api/temporal/workflow-gateway';
import type { WorkflowPort } from '../../../api/ports';
import { createJobRunStarter } from '../../../temporal/job-run-starter';
import { freePort } from '../../../servers/free-port';
import { createWorkflowStarter } from '../../../temporal/workflow-starter';
import { createTestNamespace, eventually, type TestNamespace } from '../../support/servers';

const DISPATCH = '6f9619ff-8b86-4d01-b42d-00cf4fc964ff';

describe('with Temporal there', () => {
  let namespace: TestNamespace;
  let workflows: WorkflowPort;
  let connection: TemporalConnection;
  beforeAll(async () => {
    namespace = await createTestNamespace();
    connection = connectLazily({ address: namespace.address, tls: null, apiKey: null });
    const client = new Client({ connection, namespace: namespace.namespace });
    workflows = createWorkflowGateway(connection, client, {
      ...createWorkflowStarter(client),
      ...createJobRunStarter(client),
    });
  });
  afterAll(async () => {
    await connection.close();
    await namespace.close();
  });

  it('says that it is there, and asks once for all who ask in one second', async () => {
    const answers = await Promise.all([workflows.unavailable(), workflows.unavailable(), workflows.unavailable()]);
    expect(answers).toEqual([null, null, null]);
  });

  it.each([
    ['a wake', () => workflows.wakeControlLoop('nowhere')],
    ['a stop', () => workflows.stopControlLoop('nowhere')],
    ['a question', () => workflows.loopStatus('nowhere')],
    ['news of a dispatch', () => workflows.tellDispatch(DISPATCH)],
  ])('%s to a workflow that does not run is told apart', async (_what, send) => {
    await expect(send()).rejects.toMatchObject({ code: 'CONTROL_LOOP_NOT_RUNNING' });
  });

  it('starts a dispatch once, found by its feeder tree, with who and why', async () => {
    await workflows.startDispatch(DISPATCH, 'north', 'a: import ≤ 60 kW, asked by anna: heat wave');
    await workflows.startDispatch(DISPATCH, 'north', 'again');
    const described = await namespace.client.workflow.getHandle(`dispatch/${DISPATCH}`).describe();
    expect([described.type, described.taskQueue, described.status.name]).toEqual(['dispatch', 'control', 'RUNNING']);
    expect(await described.staticSummary()).toBe('a: import ≤ 60 kW, asked by anna: heat wave');
    const found = await eventually(async () => {
      const ids: string[] = [];
      for await (const { workflowId } of namespace.client.workflow.list({ query: `DermsFeederId = 'north'` }))
        ids.push(workflowId);
      expect(ids).not.toEqual([]);
      return ids;
    });
    expect(found).toEqual([`dispatch/${DISPATCH}`]);
    await workflows.tellDispatch(DISPATCH);
  });

  it('a question that no worker answers ends in time', async () => {
    await workflows.startControlLoop('unattended');
    const startedAt = performance.now();
    await expect(workflows.loopStatus('unattended')).rejects.toMatchObject({
      code: expect.stringMatching(/^(CONTROL_LOOP_NOT_RUNNING|TEMPORAL_UNAVAILABLE)$/),
    });
    expect(performance.now() - startedAt).toBeLessThan(2_500);
  });
});

describe('with Temporal away', () => {
  let workflows: WorkflowPort;
  let connection: TemporalConnection;
  beforeAll(async () => {
    connection = connectLazily({ address: `127.0.0.1:${String(await freePort())}`, tls: null, apiKey: null });
    const client = new Client({ connection, namespace: 'derms' });
    workflows = createWorkflowGateway(connection, client, {
      ...createWorkflowStarter(client),
      ...createJobRunStarter(client),
    });
  });
  afterAll(() => connection.close());

  it('says so within a second', async () => {
    const startedAt = performance.now();
    expect(await workflows.unavailable()).toMatch(/does not answer in time|cannot be reached/);
    expect(performance.now() - startedAt).toBeLessThan(1_500);
  });

  it.each([
    ['a wake', () => workflows.wakeControlLoop('north')],
    ['a start', () => workflows.startDispatch(DISPATCH, 'north', 'why')],
    ['a question', () => workflows.loopStatus('north')],
  ])('%s fails in time, by its name', async (_what, send) => {
    const startedAt = performance.now();
    await expect(send()).rejects.toMatchObject({ code: 'TEMPORAL_UNAVAILABLE' });
    expect(performance.now() - startedAt).toBeLessThan(3_500);
  });
});
