import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import type { PlanCycleInput } from '../../activities/plan-cycle';
import type { PlanAnswer } from '../../domain/control-cycle';
import { startTemporal, type TemporalServer } from '../../local/temporal';
import { createWorkflowStarter } from '../../temporal/workflow-starter';
import { controlLoopId, statusQuery, stopSignal, wakeSignal } from '../../workflows/messages';
import { recordHistory } from '../support/histories';
import { quietRuntime, workflowBundle } from '../support/runtime';
import { eventually } from '../support/servers';

let server: TemporalServer;
beforeAll(async () => {
  quietRuntime();
  server = await startTemporal({ headless: true, dynamicConfig: { 'limit.historyCount.suggestContinueAsNew': 40 } });
});
afterAll(() => server.stop());

it('continues as new in one chain, with its cycle numbers going on, and ends as one that was stopped', async () => {
  const seen: PlanCycleInput[] = [];
  const planCycle = async (input: PlanCycleInput): Promise<PlanAnswer> => {
    seen.push(input);
    const publish = input.final || input.cycle % 3 === 0;
    return {
      outcome: publish ? 'publish' : 'nothing-to-publish',
      planId: `plan-${String(input.cycle)}`,
      mode: 'automatic',
      intervalSeconds: 2,
      setpoints: publish ? 1 : 0,
      missedTicks: 0,
      summary: `cycle ${String(input.cycle)}: 93.1 of 100 kW`,
      last: input.final,
    };
  };
  const connection = await NativeConnection.connect({ address: server.address });
  const client = new Client({ connection: await Connection.connect({ address: server.address }), namespace: 'derms' });
  const worker = await Worker.create({
    connection,
    namespace: 'derms',
    taskQueue: 'control',
    workflowBundle: await workflowBundle(),
    activities: { planCycle, publishSetpoints: async () => ({ outcome: 'published' }) },
  });
  const handle = client.workflow.getHandle(controlLoopId('north'));
  await worker.runUntil(async () => {
    await createWorkflowStarter(client).startControlLoop('north');
    const first = (await handle.describe()).runId;
    await eventually(async () => {
      await handle.signal(wakeSignal);
      expect((await handle.describe()).runId).not.toBe(first);
      expect((await handle.query(statusQuery)).cycle).toBeGreaterThan(10);
    }, 30_000);
    await handle.signal(stopSignal);
    await handle.result();
    await recordHistory(client, 'control-loop-first-run', controlLoopId('north'), first);
    await recordHistory(client, 'control-loop-last-run', controlLoopId('north'));
  });
  expect(new Set(seen.map(({ chainId }) => chainId)).size).toBe(1);
  expect(seen.map(({ cycle }) => cycle)).toEqual(seen.map((_, index) => index + 1));
  expect(new Set(seen.map(({ chainStartedAtMs }) => chainStartedAtMs)).size).toBe(1);
  await client.connection.close();
  await connection.close();
});
