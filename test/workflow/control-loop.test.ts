import { randomUUID } from 'node:crypto';
import { ApplicationFailure } from '@temporalio/common';
import { Worker, NativeConnection, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import type { PlanCycleInput } from '../../activities/plan-cycle';
import type { PlanAnswer } from '../../domain/control-cycle';
import { controlLoopId, statusQuery, stopSignal, wakeSignal, type ControlLoopStatus } from '../../workflows/messages';
import { quietRuntime, workflowBundle } from '../support/runtime';
import { createTestNamespace, eventually, type TestNamespace } from '../support/servers';
import { createWorkflowStarter } from '../../temporal/workflow-starter';

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

const answerOf = (input: PlanCycleInput, given: Partial<PlanAnswer> = {}): PlanAnswer => ({
  outcome: 'nothing-to-publish',
  planId: `plan-${String(input.cycle)}`,
  mode: 'automatic',
  intervalSeconds: 2,
  setpoints: 0,
  missedTicks: 0,
  summary: `cycle ${String(input.cycle)}: 93.1 of 100 kW`,
  last: false,
  ...given,
});

/** Runs loops with scripted activities on the real server; the hands are replaced, the story is the workflow's own. */
async function withLoop<T>(
  planCycle: (input: PlanCycleInput) => Promise<PlanAnswer>,
  publishSetpoints: (input: { planId: string }) => Promise<{ outcome: string }>,
  story: (loop: {
    status: () => Promise<ControlLoopStatus>;
    signal: (what: typeof wakeSignal | typeof stopSignal) => Promise<void>;
    id: string;
  }) => Promise<T>,
): Promise<T> {
  const rootFeederId = `root-${randomUUID()}`;
  const worker = await Worker.create({
    connection,
    namespace: temporal.namespace,
    taskQueue: 'control',
    workflowBundle: bundle,
    activities: { planCycle, publishSetpoints },
  });
  return worker.runUntil(async () => {
    await createWorkflowStarter(temporal.client).startControlLoop(rootFeederId);
    const handle = temporal.client.workflow.getHandle(controlLoopId(rootFeederId));
    try {
      return await story({
        id: controlLoopId(rootFeederId),
        status: () => handle.query(statusQuery),
        signal: (what) => handle.signal(what),
      });
    } finally {
      await handle.terminate('the test is over').catch(() => undefined); // it may have ended by itself
    }
  });
}

const published = async (): Promise<{ outcome: string }> => ({ outcome: 'published' });

describe('the control loop', () => {
  it('plans at nominal ticks, two seconds apart', async () => {
    const ticks: number[] = [];
    await withLoop(
      async (input) => {
        ticks.push(input.tickMs);
        return answerOf(input);
      },
      published,
      () => eventually(() => expect(ticks.length).toBeGreaterThanOrEqual(4)),
    );
    expect(ticks[2]! - ticks[1]!).toBe(2_000);
    expect(ticks[3]! - ticks[2]!).toBe(2_000);
  });

  it('plans at once when it is woken', async () => {
    const planned: number[] = [];
    await withLoop(
      async (input) => {
        planned.push(Date.now());
        return answerOf(input, { intervalSeconds: 600 });
      },
      published,
      async (loop) => {
        await eventually(() => expect(planned).toHaveLength(1));
        const wokenAt = Date.now();
        await loop.signal(wakeSignal);
        await eventually(() => expect(planned).toHaveLength(2));
        expect(planned[1]! - wokenAt).toBeLessThan(1_000);
      },
    );
  });

  it('publishes a plan that has something to say, and only that', async () => {
    const sent: string[] = [];
    const status = await withLoop(
      async (input) => answerOf(input, input.cycle === 2 ? { outcome: 'publish', setpoints: 3 } : {}),
      async ({ planId }) => {
        sent.push(planId);
        return { outcome: 'published' };
      },
      async (loop) => {
        await eventually(async () => expect((await loop.status()).cycle).toBeGreaterThanOrEqual(3));
        return loop.status();
      },
    );
    expect(sent).toEqual(['plan-2']);
    expect(status).toMatchObject({ mode: 'automatic', intervalSeconds: 2, failedCycles: 0 });
  });

  it('counts a failed cycle and goes on', async () => {
    const status = await withLoop(
      async (input) => {
        if (input.cycle === 1) throw new Error('the database is away');
        return answerOf(input);
      },
      published,
      async (loop) => {
        await eventually(async () => expect((await loop.status()).lastResult?.outcome).toBe('failed'));
        await loop.signal(wakeSignal);
        await eventually(async () => expect((await loop.status()).lastResult?.outcome).toBe('nothing-to-publish'));
        return loop.status();
      },
    );
    expect(status.failedCycles).toBe(1);
  });

  it('counts a cycle whose setpoints could not be published as failed, and plans again at the next tick', async () => {
    const status = await withLoop(
      async (input) => answerOf(input, { outcome: 'publish', setpoints: 1 }),
      async () => {
        throw ApplicationFailure.nonRetryable('the broker is away', 'BROKER_UNAVAILABLE');
      },
      async (loop) => {
        await eventually(async () => expect((await loop.status()).failedCycles).toBeGreaterThanOrEqual(2));
        return loop.status();
      },
    );
    expect(status.lastResult?.summary).toContain('BROKER_UNAVAILABLE: the broker is away');
  });

  /** Plans nothing until it is told to stop, then the defaults; which cycles were final stands in `finals`. */
  const stoppable =
    (finals: boolean[] = []) =>
    async (input: PlanCycleInput): Promise<PlanAnswer> => {
      finals.push(input.final);
      return answerOf(input, input.final ? { outcome: 'publish', setpoints: 2, last: true } : {});
    };

  it('publishes the defaults and ends when it is stopped', async () => {
    const finals: boolean[] = [];
    const sent: string[] = [];
    await withLoop(
      stoppable(finals),
      async ({ planId }) => {
        sent.push(planId);
        return { outcome: 'published' };
      },
      async (loop) => {
        await eventually(async () => expect((await loop.status()).lastResult).not.toBeNull());
        await loop.signal(stopSignal);
        await temporal.client.workflow.getHandle(loop.id).result();
      },
    );
    expect(finals.at(-1)).toBe(true);
    expect(sent).toHaveLength(1);
  });

  it('goes on when it is started again before it has ended', async () => {
    let hold: (() => void) | undefined;
    const finals: boolean[] = [];
    const sent: string[] = [];
    await withLoop(
      stoppable(finals),
      async ({ planId }) => {
        sent.push(planId);
        await new Promise<void>((resolve) => (hold = resolve));
        return { outcome: 'published' };
      },
      async (loop) => {
        await eventually(async () => expect((await loop.status()).lastResult).not.toBeNull());
        const before = await loop.status();
        await loop.signal(stopSignal);
        await eventually(() => expect(sent).toHaveLength(1));
        await createWorkflowStarter(temporal.client).startControlLoop(before.rootFeederId);
        hold!();
        await eventually(() => expect(finals.slice(finals.indexOf(true))).toEqual([true, false, false]), 10_000);
        expect((await loop.status()).chainId).toBe(before.chainId);
      },
    );
    expect(sent).toHaveLength(1);
  });

  it('publishes the defaults when it is cancelled in Temporal UI', async () => {
    const sent: string[] = [];
    await withLoop(
      stoppable(),
      async ({ planId }) => {
        sent.push(planId);
        return { outcome: 'published' };
      },
      async (loop) => {
        await eventually(async () => expect((await loop.status()).lastResult).not.toBeNull());
        const handle = temporal.client.workflow.getHandle(loop.id);
        await handle.cancel();
        await expect(handle.result()).rejects.toThrow('cancelled');
      },
    );
    expect(sent).toHaveLength(1);
  });

  it('is found by the feeder it controls, and says its last cycle in its details', async () => {
    await withLoop(
      async (input) => answerOf(input),
      published,
      async (loop) => {
        await eventually(async () => expect((await loop.status()).lastResult).not.toBeNull());
        const rootFeederId = loop.id.replace('control-loop/', '');
        await eventually(async () => {
          const found = [];
          for await (const run of temporal.client.workflow.list({ query: `DermsFeederId = "${rootFeederId}"` }))
            found.push(run.workflowId);
          expect(found).toEqual([loop.id]);
        });
      },
    );
  });
});
