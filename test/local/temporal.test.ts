import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import { startTemporal, type TemporalOptions, type TemporalServer } from '../../local/temporal';
import { unwieldyFolder } from './checkout';

const FEEDER = defineSearchAttributeKey('DermsFeederId', 'KEYWORD');

describe('a Temporal server with its database in a folder with spaces, quotes and a deep path', () => {
  const folder = unwieldyFolder();
  const options: TemporalOptions = { dbFile: join(folder.path, 'temporal.db'), headless: true };
  let server: TemporalServer;

  const withClient = async <T>(use: (client: Client) => Promise<T>): Promise<T> => {
    const connection = await Connection.connect({ address: server.address, connectTimeout: 2_000 });
    try {
      return await use(new Client({ connection, namespace: server.namespace }));
    } finally {
      await connection.close();
    }
  };

  beforeAll(async () => {
    server = await startTemporal(options);
  });
  afterAll(async () => {
    await server.stop();
    folder.remove();
  });

  it('takes a workflow with the feeder as search attribute, and has it after it was killed', async () => {
    const run = { taskQueue: 'none', workflowId: 'kept', typedSearchAttributes: [{ key: FEEDER, value: 'feeder-a' }] };
    await withClient((client) => client.workflow.start('unknown', run));
    await server.kill();
    server = await startTemporal({ ...options, port: server.port });
    const { typedSearchAttributes } = await withClient((client) => client.workflow.getHandle('kept').describe());
    expect(typedSearchAttributes.get(FEEDER)).toBe('feeder-a');
    expect(existsSync(`${join(folder.path, 'temporal.db')}-wal`)).toBe(true);
  });

  it('serves its metrics', async () => {
    const answer = await fetch(server.metricsUrl);
    expect(await answer.text()).toContain('service_requests');
  });

  it('hangs while suspended and goes on', async () => {
    const describeNamespace = (): Promise<unknown> =>
      withClient(({ connection, workflowService }) =>
        connection.withDeadline(Date.now() + 1_000, () => workflowService.describeNamespace({ namespace: 'derms' })),
      );
    server.suspend();
    await expect(describeNamespace()).rejects.toThrow();
    server.resume();
    await expect(describeNamespace()).resolves.toBeDefined();
  });

  it('stops within the three seconds that it gets', async () => {
    const began = performance.now();
    await server.stop();
    expect(performance.now() - began).toBeLessThan(3_000);
  });
});
