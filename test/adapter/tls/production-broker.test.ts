import { pbkdf2Sync, randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync, type MqttClient } from 'mqtt';
import { readToolchain } from '../../../local/toolchain';
import { startChild, type ChildProcess } from '../../../servers/child-process';
import { freePort } from '../../../servers/free-port';
import { toolEnvironment } from '../../../servers/tool';
import { makeCertificateAuthority, writePair } from '../../support/certificate-authority';
import { Registry } from '../../../observability/metrics';
import { ShutdownList } from '../../../observability/shutdown';
import { eventually, testLog } from '../../support/servers';
import { watchBrokerLog } from '../../../worker/broker-log';

const DEPLOY = join(__dirname, '../../../deploy/mosquitto');
/** A loopback address that nobody else's broker listens on by itself. */
const HOST = process.platform === 'linux' ? '127.83.19.7' : '127.0.0.1';
const folder = mkdtempSync(join(tmpdir(), 'derms-test-production-broker-'));
const authority = makeCertificateAuthority();
const clients: MqttClient[] = [];
/** For devices, and for our processes. */
let port: number;
let processPort: number;
let broker: ChildProcess;
const registry = new Registry();
const shutdown = new ShutdownList(testLog, 5_000);

beforeAll(async () => {
  port = await freePort();
  do processPort = await freePort();
  while (processPort === port);
  for (const name of ['config', 'certs', 'data', 'log']) mkdirSync(join(folder, name), { recursive: true });
  writePair(join(folder, 'certs'), 'tls', authority.issue({ names: ['broker.test'] }));
  writeFileSync(join(folder, 'config/acl'), readFileSync(join(DEPLOY, 'acl')));
  writeFileSync(
    join(folder, 'config/passwords'),
    ['derms', ...[1, 2, 3, 4, 5, 6, 7].map((n) => `pv-${String(n)}`)].map(passwordLine).join('\n') + '\n',
    {
      mode: 0o600,
    },
  );
  // The very file, but for where its files lie and the port, which may be taken here.
  const text = readFileSync(join(DEPLOY, 'mosquitto.conf'), 'utf8');
  const root = process.getuid?.() === 0 ? 'user root\n' : '';
  const here = text
    .replaceAll('/mosquitto/', `${folder}/`)
    .replace('listener 8883', `listener ${String(port)}`)
    .replace('listener 8884', `listener ${String(processPort)}`);
  writeFileSync(join(folder, 'mosquitto.conf'), root + here);
  const tool = readToolchain().mosquitto;
  broker = await startChild({
    ...{ name: 'Mosquitto', program: tool.path, args: ['-c', join(folder, 'mosquitto.conf')] },
    ...{ env: toolEnvironment(tool), cwd: folder, logFile: join(folder, 'said') },
  });
  await eventually(async () => (await signIn('derms')).end(true));
  // As its agent does beside it.
  watchBrokerLog(join(folder, 'log/mosquitto.log'), { log: testLog, registry, shutdown });
}, 60_000);
afterAll(async () => {
  for (const client of clients) client.end(true);
  await shutdown.run('test');
  await broker.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('the broker of deploy/mosquitto', () => {
  it('listens for TLS alone: connecting to 1883 fails, and so does plain MQTT on its ports', async () => {
    const listeners = readFileSync(join(DEPLOY, 'mosquitto.conf'), 'utf8').match(/^(listener|port) .*$/gm);
    expect(listeners).toEqual(['listener 8883', 'listener 8884']);

    await expect(reach(1883)).rejects.toThrow(/ECONNREFUSED|EADDRNOTAVAIL/);
    for (const plain of [port, processPort])
      await expect(
        connectAsync(`mqtt://${HOST}:${String(plain)}`, { reconnectPeriod: 0, connectTimeout: 2_000 }, false),
      ).rejects.toThrow();
  });

  it.each([
    ['no password', {}],
    ['a wrong password', { username: 'pv-1', password: 'wrong' }],
  ])('lets nobody in with %s', async (_case, credentials) => {
    await expect(signIn('pv-1', credentials)).rejects.toThrow(/Not authorized/);
  });

  it('lets a device write its own telemetry and read its own setpoints, and nothing of another', async () => {
    const [ours, one, other] = [await signIn('derms'), await signIn('pv-1'), await signIn('pv-2')];
    const forger = (): Promise<MqttClient> => signIn('pv-3');
    const heard: string[] = [];
    for (const [name, client] of Object.entries({ ours, one, other }))
      client.on('message', (topic) => heard.push(`${name} ${topic}`));
    await ours.subscribeAsync('der/telemetry/#', { qos: 1 });
    for (const device of [one, other]) await device.subscribeAsync(['der/setpoints/#', 'der/telemetry/#'], { qos: 1 });

    await one.publishAsync('der/telemetry/pv/pv-1', 'own', { qos: 1 });
    expect(await isTaken(await forger(), 'der/telemetry/pv/pv-2')).toBe(false);
    expect(await isTaken(await forger(), 'der/setpoints/pv/pv-3')).toBe(false);
    expect(await isTaken(await forger(), 'der/emergency-stop')).toBe(false);
    await ours.publishAsync('der/setpoints/pv/pv-1', 'for one', { qos: 1 });
    await ours.publishAsync('der/setpoints/pv/pv-2', 'for the other', { qos: 1 });
    await eventually(() => expect(heard).toHaveLength(3));

    expect(heard.sort()).toEqual([
      'one der/setpoints/pv/pv-1',
      'other der/setpoints/pv/pv-2',
      'ours der/telemetry/pv/pv-1',
    ]);
  });

  it('lets no device take over the session of another client, ours included, whatever it calls itself', async () => {
    const ingest = await signIn('derms', undefined, { clientId: 'derms-ingest-0', clean: false });
    await ingest.subscribeAsync('der/telemetry/#', { qos: 1 });
    const heard: string[] = [];
    ingest.on('message', (_topic, payload) => heard.push(payload.toString()));
    const victim = await signIn('pv-2');

    for (const clientId of ['derms-ingest-0', 'pv-2', 'derms'])
      (await signIn('pv-1', undefined, { clientId, clean: true })).end(true);

    await victim.publishAsync('der/telemetry/pv/pv-2', 'still there', { qos: 1 });
    await eventually(() => expect(heard).toEqual(['still there']));
    expect([ingest.connected, victim.connected]).toEqual([true, true]);
  });

  it('keeps our processes in while devices come and go', async () => {
    const [api, worker] = [await signIn('derms'), await signIn('derms')];
    const device = await signIn('pv-1');
    const again = await signIn('pv-1');
    await eventually(() => expect(device.connected).toBe(false)); // it came back, as itself
    expect([api.connected, worker.connected, again.connected]).toEqual([true, true, true]);
  });

  it('hangs up on a client that sends too much at once, and serves the others', async () => {
    const [loud, quiet] = [await signIn('pv-1'), await signIn('pv-2')];
    const hungUp = closing(loud);

    loud.publish('der/telemetry/pv/pv-1', Buffer.alloc(100_000), { qos: 0 });

    await hungUp;
    await quiet.publishAsync('der/telemetry/pv/pv-2', 'still here', { qos: 1 });
  });

  it('is watched: who forges, listens to another or sends too much is counted by name, and nobody else', async () => {
    const [listener, loud, good] = [await signIn('pv-5'), await signIn('pv-6'), await signIn('pv-7')];
    await good.subscribeAsync('der/setpoints/+/pv-7', { qos: 1 });
    await good.publishAsync('der/telemetry/pv/pv-7', 'own', { qos: 1 });

    // Some versions hang up on a forger.
    for (const topic of ['der/telemetry/pv/pv-7', 'der/setpoints/pv/pv-7', 'der/emergency-stop'])
      expect(await isTaken(await signIn('pv-4'), topic)).toBe(false);
    await listener.subscribeAsync(['der/setpoints/pv/pv-7', 'der/setpoints/pv/pv-5'], { qos: 1 });
    const hungUp = closing(loud);
    loud.publish('der/telemetry/pv/pv-6', Buffer.alloc(100_000), { qos: 0 });
    await hungUp;

    const counted = async (): Promise<string[]> =>
      (await registry.metrics()).match(/(?<=^derms_broker_turned_away_total)\{client="pv-[4-7]".*$/gm) ?? [];
    await eventually(async () =>
      expect((await counted()).sort()).toEqual([
        '{client="pv-4",what="publish"} 3',
        '{client="pv-5",what="subscribe"} 1',
        '{client="pv-6",what="oversized"} 1',
      ]),
    );
  });

  it('answers others soon while one floods', async () => {
    const [loud, quiet] = [await signIn('pv-1'), await signIn('pv-2')];
    for (let index = 0; index < 20_000; index += 1) loud.publish('der/telemetry/pv/pv-1', 'x'.repeat(400), { qos: 0 });

    const startedAt = performance.now();
    await quiet.publishAsync('der/telemetry/pv/pv-2', 'heard', { qos: 1 });

    expect(performance.now() - startedAt).toBeLessThan(3_000); // the flood is made in this process, too
  });
});

async function signIn(
  user: string,
  credentials: { username?: string; password?: string } = { username: user, password: passwordOf(user) },
  session: { clientId?: string; clean?: boolean } = {},
) {
  const client = await connectAsync(
    `mqtts://${HOST}:${String(user === 'derms' ? processPort : port)}`,
    {
      ...{ protocolVersion: 5, clientId: randomUUID(), reconnectPeriod: 0 },
      ...{ ca: authority.cert, servername: 'broker.test', connectTimeout: 5_000 },
      ...credentials,
      ...session,
    },
    false,
  );
  clients.push(client);
  return client;
}

/** Some versions refuse in the PUBACK, some hang up. */
const isTaken = (client: MqttClient, topic: string): Promise<boolean> =>
  Promise.race([
    client.publishAsync(topic, 'forged', { qos: 1, retain: true }).then(
      () => true,
      () => false,
    ),
    closing(client).then(() => false),
  ]);

const closing = (client: MqttClient): Promise<void> =>
  new Promise((resolve) => {
    client.once('close', () => {
      resolve();
    });
  });

function reach(at: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: HOST, port: at }, () => {
      socket.destroy();
      resolve();
    });
    socket.once('error', reject);
  });
}

const passwordOf = (user: string): string => `password-of-${user}`;

/** As `mosquitto_passwd` writes it. */
function passwordLine(user: string): string {
  const salt = Buffer.from(user.padEnd(12, '.'));
  const hash = pbkdf2Sync(passwordOf(user), salt, 101, 64, 'sha512');
  return `${user}:$7$101$${salt.toString('base64')}$${hash.toString('base64')}`;
}
