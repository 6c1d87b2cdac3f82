import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { NativeConnection, Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { createBrokerAgentActivities, type BrokerAgentPorts } from '../../activities/broker-agent';
import { failureInterceptor } from '../../activities/failure-interceptor';
import { DermsError } from '../../domain/errors';
import { createBrokerAgents } from '../../temporal/broker-agents';
import { brokerQueue, copyBrokerStoreId } from '../../workflows/messages';
import { quietRuntime, workflowBundle } from '../support/runtime';
import { createTestNamespace, eventually, type TestNamespace } from '../support/servers';

type CopyByAgent = BrokerAgentPorts<unknown>['copyStore'];

let bundle: WorkflowBundleWithSourceMap;
let temporal: TestNamespace;
let connection: NativeConnection;
const never = new AbortController().signal;

beforeAll(async () => {
  quietRuntime();
  bundle = await workflowBundle();
});
beforeEach(async () => {
  temporal = await createTestNamespace();
  connection = await NativeConnection.connect({ address: temporal.address });
});
afterEach(async () => {
  await connection.close();
  await temporal.close();
});

/** A jobs role, and beside broker `north` an agent that copies as given. */
const withAgent = async <T>(copyStore: CopyByAgent | null, story: () => Promise<T>): Promise<T> => {
  const common = {
    connection,
    namespace: temporal.namespace,
    shutdownGraceTime: '1s',
    shutdownForceTime: '5s',
  } as const;
  const jobs = await Worker.create({ ...common, taskQueue: 'jobs', workflowBundle: bundle });
  if (copyStore === null) return jobs.runUntil(story);
  const agent = await Worker.create({
    ...common,
    taskQueue: brokerQueue('north'),
    activities: createBrokerAgentActivities({ copyStore }),
    interceptors: { activity: [() => ({ inbound: failureInterceptor })] },
  });
  return jobs.runUntil(() => agent.runUntil(story));
};
const copy = (signal = never, runId: string = randomUUID()): Promise<unknown> =>
  createBrokerAgents(temporal.client, 2).copyStore('north', runId, signal);

describe('the agent beside a broker', () => {
  it('answers what its copy found', async () => {
    const answer = await withAgent(
      async (runId) => ({ key: `mqtt-backup/north/${runId}.db` }),
      () => copy(never, 'run-1'),
    );
    expect(answer).toEqual({ key: 'mqtt-backup/north/run-1.db' });
  });

  it('is tried three times, and its failure keeps its name', async () => {
    let attempts = 0;
    const failing: CopyByAgent = async () => {
      attempts += 1;
      throw new DermsError('BROKER_STORE_UNAVAILABLE', 'the broker is not running: there is no process 7');
    };
    await expect(withAgent(failing, copy)).rejects.toMatchObject({
      code: 'BROKER_STORE_UNAVAILABLE',
      message: 'broker north: the broker is not running: there is no process 7',
    });
    expect(attempts).toBe(3);
  });

  it('that is away is given up, and said to be', async () => {
    await expect(withAgent(null, copy)).rejects.toMatchObject({
      code: 'BROKER_STORE_UNAVAILABLE',
      message: 'broker north: no agent took the work in time; is it running?',
    });
  });

  it('stops its copy when the run is cancelled', async () => {
    const cancel = new AbortController();
    let stopped = false;
    const endless: CopyByAgent = async (_runId, { signal }) => {
      setTimeout(() => {
        cancel.abort(new Error('cancelled by an operator'));
      }, 200);
      await sleep(60_000, undefined, { signal }).finally(() => {
        stopped = true;
      });
    };
    await withAgent(endless, async () => {
      await expect(copy(cancel.signal)).rejects.toThrow('cancelled by an operator');
      await eventually(() => {
        expect(stopped).toBe(true);
      });
    });
  });

  it('is joined, not asked twice, when the run that asked is started again', async () => {
    let asked = 0;
    const slow: CopyByAgent = async (runId) => {
      asked += 1;
      await sleep(1_000);
      return runId;
    };
    const runId = randomUUID();
    const answers = await withAgent(slow, () => Promise.all([copy(never, runId), copy(never, runId)]));
    expect(answers).toEqual([runId, runId]);
    expect(asked).toBe(1);
    const { status } = await temporal.client.workflow
      .getHandle(copyBrokerStoreId({ broker: 'north', runId }))
      .describe();
    expect(status.name).toBe('COMPLETED');
  });
});
