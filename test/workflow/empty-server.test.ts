import { randomUUID } from 'node:crypto';
import { Connection } from '@temporalio/client';
import { startTemporal, type TemporalServer } from '../../local/temporal';
import { prepareNamespace } from '../../temporal/prepare-namespace';
import { FEEDER_SEARCH_ATTRIBUTE } from '../../workflows/messages';
import { eventually } from '../support/servers';

let server: TemporalServer;
let connection: Connection;
beforeAll(async () => {
  server = await startTemporal({ headless: true, namespace: 'somebody-elses', searchAttributes: [] });
  connection = await Connection.connect({ address: server.address });
}, 60_000);
afterAll(async () => {
  await connection.close();
  await server.stop();
});

it('a server without our namespace gets it and the search attribute, once', async () => {
  const namespace = `derms-${randomUUID()}`;
  const made: string[] = [];
  const prepare = (): Promise<void> => prepareNamespace(connection, namespace, (what) => made.push(what));
  await eventually(prepare); // the namespace is not seen everywhere at once
  await eventually(prepare);
  expect(made.sort()).toEqual([`namespace ${namespace}`, `search attribute ${FEEDER_SEARCH_ATTRIBUTE}`]);
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  expect(Object.keys(customAttributes)).toContain(FEEDER_SEARCH_ATTRIBUTE);
}, 30_000);
