import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker, type NativeConnection } from '@temporalio/worker';
import { Secrets } from '../../../config/secrets';
import type { TemporalAccess } from '../../../temporal/access';
import { connectLazily, type TemporalConnection } from '../../../temporal/client-connection';
import { connectNatively } from '../../../temporal/connect-natively';
import { renewConnection } from '../../../temporal/renew-connection';
import { openClientTls, type ClientTlsOptions } from '../../../tls/client-tls';
import { makeCertificateAuthority, writeAuthority, writePair } from '../../support/certificate-authority';
import { quietRuntime } from '../../support/runtime';
import { createTestNamespace, eventually, testLog, testServers, type TestNamespace } from '../../support/servers';
import { startTemporalGateway, type TemporalGateway } from './temporal-gateway';

quietRuntime();

const folder = mkdtempSync(join(tmpdir(), 'derms-test-temporal-tls-'));
const authority = makeCertificateAuthority();
const stranger = makeCertificateAuthority('stranger');
const caPath = writeAuthority(folder, 'ca', authority);
const mine = writePair(folder, 'mine', authority.issue({ commonName: 'first' }));
const server = authority.issue({ names: ['temporal.test'], addresses: ['127.0.0.1'] });
const WITHIN_MS = 5_000;

let namespace: TestNamespace;
let gateway: TemporalGateway;
const gateways: TemporalGateway[] = [];
const connections: (TemporalConnection | NativeConnection)[] = [];

const open = async (pair = server): Promise<TemporalGateway> => {
  const opened = await startTemporalGateway(testServers().temporal.address, { server: pair, ca: authority.cert });
  gateways.push(opened);
  return opened;
};
beforeAll(async () => {
  namespace = await createTestNamespace();
});
beforeEach(async () => {
  gateway = await open();
});
afterAll(async () => {
  await Promise.all(connections.map((connection) => connection.close()));
  for (const each of gateways) each.close();
  await namespace.close();
  rmSync(folder, { recursive: true });
});

const access = (tls: Partial<ClientTlsOptions> = {}, given: Partial<TemporalAccess> = {}): TemporalAccess => ({
  address: gateway.address,
  apiKey: null,
  tls: openClientTls({ name: 'temporal', caPath, ...mine, verify: true, ...tls }),
  ...given,
});

/** The two ways that our processes reach Temporal: for their own questions, and for their work. */
const WAYS = {
  'the client': async (to: TemporalAccess): Promise<unknown> => {
    const connection = connectLazily(to);
    connections.push(connection);
    return connection.withDeadline(Date.now() + WITHIN_MS, () => connection.workflowService.getSystemInfo({}));
  },
  'a worker': async (to: TemporalAccess): Promise<unknown> => {
    const connection = await connectNatively(to);
    connections.push(connection);
    return connection.workflowService.getSystemInfo({});
  },
} as const;
const ways = Object.entries(WAYS);

describe.each(ways)('%s reaches Temporal over TLS', (_name, reach) => {
  it.each([{}, { serverName: 'temporal.test' }])(
    'with its certificate, by the name that it asks for: %o',
    async (tls) => {
      expect(await reach(access(tls))).toHaveProperty('serverVersion');
      expect(gateway.passed).toContainEqual(expect.objectContaining({ client: 'first' }));
    },
  );

  it.each([
    ['of another authority', () => ({ caPath: writeAuthority(folder, 'stranger', stranger) })],
    ['for another host name', () => ({ serverName: 'other.test' })],
  ])('and believes no certificate %s', async (_case, tls) => {
    await expect(reach(access(tls()))).rejects.toThrow();
    expect(gateway.passed).toEqual([]);
  });

  it('and believes no certificate that has run out', async () => {
    gateway = await open(authority.issue({ names: ['temporal.test'], addresses: ['127.0.0.1'], daysLeft: -1 }));
    await expect(reach(access())).rejects.toThrow();
    expect(gateway.passed).toEqual([]);
  });

  it.each([
    ['without a certificate of its own', () => ({ certPath: undefined, keyPath: undefined })],
    ['with one of another authority', () => writePair(folder, 'theirs', stranger.issue({ commonName: 'x' }))],
    ['with one that has run out', () => writePair(folder, 'old', authority.issue({ commonName: 'x', daysLeft: -1 }))],
  ])('and is not let in %s', async (_case, tls) => {
    await expect(reach(access(tls()))).rejects.toThrow();
    expect(gateway.passed).toEqual([]);
  });

  it('with an API key, and not with another', async () => {
    gateway.apiKey = 'the-key';
    await expect(reach(access({}, { apiKey: () => 'another-key' }))).rejects.toThrow(/no such key/);
    await reach(access({}, { apiKey: () => 'the-key' }));
    expect(gateway.passed.map(({ authorization }) => authorization)).toContain('Bearer the-key');
  });
});

it('the client sends the API key that the file holds at the time of the call', async () => {
  const file = join(folder, 'key');
  writeFileSync(file, 'key-one');
  const apiKey = new Secrets({ TEMPORAL_API_KEY_FILE: file }, 'no.env').reader('TEMPORAL_API_KEY', 'key-one');
  const connection = connectLazily(access({}, { apiKey }));
  connections.push(connection);
  const ask = () => connection.withDeadline(Date.now() + WITHIN_MS, () => connection.workflowService.getSystemInfo({}));
  gateway.apiKey = 'key-one';
  await ask();

  writeFileSync(file, 'key-two');
  gateway.apiKey = 'key-two';

  await ask();
  expect(new Set(gateway.passed.map(({ authorization }) => authorization))).toEqual(
    new Set(['Bearer key-one', 'Bearer key-two']),
  );
});

it('the client takes a certificate that was renewed on disk, once it is let in with it; what began before ends undisturbed', async () => {
  const pair = writePair(folder, 'client', authority.issue({ commonName: 'first' }));
  const connection = connectLazily(access(pair), { log: testLog, everyMs: 100 });
  connections.push(connection);
  const ask = () => connection.withDeadline(Date.now() + WITHIN_MS, () => connection.workflowService.getSystemInfo({}));
  let seen = 0;
  /** Since it was asked last. */
  const askers = (): (string | null)[] => {
    const since = gateway.passed.slice(seen);
    seen = gateway.passed.length;
    return since.map(({ client }) => client);
  };
  let goOn = (): void => undefined;
  const waiting = connection.withDeadline(Date.now() + 60_000, async () => {
    await new Promise<void>((resolve) => {
      goOn = resolve;
    });
    return connection.workflowService.getSystemInfo({});
  });
  await ask();

  writePair(folder, 'client', stranger.issue({ commonName: 'not let in' }));
  await new Promise((resolve) => setTimeout(resolve, 200));
  for (let call = 0; call < 3; call += 1) await ask();
  expect(new Set(askers())).toEqual(new Set(['first']));

  writePair(folder, 'client', authority.issue({ commonName: 'second' }));
  await eventually(async () => {
    askers();
    await ask();
    expect(askers()).toEqual(['second']);
  });
  goOn();
  await waiting;
  expect(askers()).toEqual(['first']);
}, 60_000);

it('a worker goes on polling with a client certificate and an API key that were renewed on disk, without a restart', async () => {
  const file = join(folder, 'worker-key');
  writeFileSync(file, 'key-one');
  gateway.apiKey = 'key-one';
  const pair = writePair(folder, 'renewed', authority.issue({ commonName: 'first' }));
  const to = access(pair, {
    apiKey: new Secrets({ TEMPORAL_API_KEY_FILE: file }, 'no.env').reader('TEMPORAL_API_KEY', 'key-one'),
  });
  const connection = await connectNatively(to);
  const worker = await Worker.create({
    connection,
    namespace: namespace.namespace,
    taskQueue: 'tls',
    activities: { nothing: () => Promise.resolve() },
  });
  const disconnect = renewConnection(worker, connection, { access: to, log: testLog, everyMs: 100 });
  const polls = (client: string, key: string): boolean =>
    gateway.passed.some(
      (each) =>
        each.path.endsWith('/PollActivityTaskQueue') &&
        each.client === client &&
        each.authorization === `Bearer ${key}`,
    );
  /** Polls that wait go on for up to a minute over the connection that they began on: the gateway ends them. */
  const untilPolled = (client: string, key: string): Promise<void> =>
    eventually(() => {
      if (polls(client, key)) return;
      gateway.endWaiting();
      throw new Error(`nobody polls as ${client} with ${key}: ${JSON.stringify(gateway.passed.at(-1))}`);
    }, 45_000);
  try {
    await worker.runUntil(async () => {
      await untilPolled('first', 'key-one');

      writePair(folder, 'renewed', authority.issue({ commonName: 'second' }));
      await untilPolled('second', 'key-one');

      gateway.apiKey = null; // both are good for a while
      writeFileSync(file, 'key-two');
      await untilPolled('second', 'key-two');
      expect(worker.getState()).toBe('RUNNING');
    });
  } finally {
    await disconnect();
  }
}, 150_000);
