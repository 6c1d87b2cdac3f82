import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { NativeConnection, Worker } from '@temporalio/worker';
import type { StoreCopy } from '../../../backups/mqtt/copy-store';
import { proveCopy } from '../../../backups/mqtt/prove-copy';
import { readToolchain } from '../../../local/toolchain';
import { createDirectoryStorage } from '../../../storage/directory';
import { newKeyEntry, parseKeyRing } from '../../../storage/encryption/key-ring';
import { createBrokerAgents } from '../../../temporal/broker-agents';
import { quietRuntime, workflowBundle } from '../../support/runtime';
import { createTestNamespace, type TestNamespace } from '../../support/servers';
import { furnish, startFurnishedBroker, type FurnishedBroker } from '../backups/mqtt/furnished-broker';

const ROOT = join(__dirname, '..', '..', '..');
const folder = mkdtempSync(join(tmpdir(), 'derms-test-agent-'));
const keys = newKeyEntry('test');
const never = new AbortController().signal;

/** The process as it is started beside a broker: it is told nothing of database, API or broker accounts. */
const startAgent = (temporal: TestNamespace, broker: FurnishedBroker): ChildProcess =>
  spawn(
    process.execPath,
    [join(ROOT, 'test/adapter/broker/run-typescript.cjs'), join(ROOT, 'worker/roles/broker-agent.ts')],
    {
      cwd: ROOT,
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {
        PATH: process.env['PATH'],
        LOG_LEVEL: 'info',
        METRICS_PORT: '0',
        TEMPORAL_METRICS_PORT: '0',
        TEMPORAL_ADDRESS: temporal.address,
        TEMPORAL_NAMESPACE: temporal.namespace,
        BROKER_NAME: 'north',
        BROKER_STORE_PATH: broker.process.storeFile,
        BROKER_PID_FILE: broker.process.pidFile,
        BACKUP_STORAGE: pathToFileURL(join(folder, 'objects')).href,
        BACKUP_ENCRYPTION_KEYS: keys,
      },
    },
  );

describe('the process of the broker agent', () => {
  let temporal: TestNamespace;
  let broker: FurnishedBroker;
  let agent: ChildProcess;
  let connection: NativeConnection;

  beforeAll(async () => {
    quietRuntime();
    temporal = await createTestNamespace();
    broker = await startFurnishedBroker();
    const { stay } = await furnish(broker, 100);
    await stay.endAsync();
    agent = startAgent(temporal, broker);
    connection = await NativeConnection.connect({ address: temporal.address });
  });
  afterAll(async () => {
    agent.kill('SIGKILL');
    await connection.close();
    await temporal.close();
    await broker.remove();
    rmSync(folder, { recursive: true });
  });

  it('copies the store of its broker into storage, from where the copy is proven', async () => {
    const jobs = await Worker.create({
      connection,
      namespace: temporal.namespace,
      taskQueue: 'jobs',
      workflowBundle: await workflowBundle(),
    });
    const copy = (await jobs.runUntil(() =>
      createBrokerAgents(temporal.client).copyStore('north', 'run-1', never),
    )) as StoreCopy;
    expect(copy).toMatchObject({ broker: 'north', keyId: 'test', counts: { retained: 101, sessions: 5 } });
    const proof = await proveCopy(
      {
        storage: createDirectoryStorage(join(folder, 'objects')),
        keyRing: parseKeyRing(keys),
        mosquitto: readToolchain().mosquitto,
      },
      copy,
      never,
    );
    expect(proof).toMatchObject({ retained: 101, sessions: 5, delivered: 200 });
  });

  it('ends in order when it is told to', async () => {
    agent.kill('SIGTERM');
    const [code] = (await once(agent, 'exit')) as [number];
    expect(code).toBe(0);
  });
});
