import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectToBroker, type BrokerConnection } from '../../../broker/connection';
import { Secrets } from '../../../config/secrets';
import { openClientTls, type ClientTlsOptions } from '../../../tls/client-tls';
import { freePort } from '../../../servers/free-port';
import { makeCertificateAuthority, writeAuthority, writePair, type Issued } from '../../support/certificate-authority';
import { eventually } from '../../support/servers';
import { startOwnBroker, type OwnBroker } from '../broker/own-broker';
import { recordingLog } from '../broker/log-lines';

const folder = mkdtempSync(join(tmpdir(), 'derms-test-mqtts-'));
const authority = makeCertificateAuthority();
const caPath = writeAuthority(folder, 'ca', authority);
const client = writePair(folder, 'client', authority.issue({ commonName: 'derms' }));
const server = authority.issue({ names: ['broker.test'], addresses: ['127.0.0.1'] });
const brokers: OwnBroker[] = [];
const connections: BrokerConnection[] = [];
afterAll(async () => {
  await Promise.all(connections.map((connection) => connection.close()));
  await Promise.all(brokers.map((broker) => broker.remove()));
  rmSync(folder, { recursive: true });
});

/** A real Mosquitto that asks every client for a certificate of our authority. */
async function tlsBroker(pair: Issued): Promise<number> {
  const name = randomUUID();
  const port = await freePort();
  const { certPath, keyPath } = writePair(folder, name, pair);
  brokers.push(
    await startOwnBroker({
      config: [
        `listener ${String(port)} 127.0.0.1`,
        `cafile ${caPath}`,
        `certfile ${certPath}`,
        `keyfile ${keyPath}`,
        'require_certificate true',
      ],
    }),
  );
  return port;
}

function open(port: number, tls: Partial<ClientTlsOptions> = {}) {
  const { log, lines } = recordingLog();
  const connection = connectToBroker(
    {
      ...{ host: '127.0.0.1', port, clientId: randomUUID() },
      tls: openClientTls({ name: 'mqtt', caPath, ...client, verify: true, ...tls }),
    },
    {},
    { log },
  );
  connections.push(connection);
  return { connection, reasons: () => lines.map(({ err }) => err as { code?: string; message?: string } | undefined) };
}

describe('the broker over TLS', () => {
  let port: number;
  beforeAll(async () => {
    port = await tlsBroker(server);
  });

  it.each([{}, { serverName: 'broker.test' }])(
    'takes our certificate and shows the one we ask for: %o',
    async (tls) => {
      const { connection } = open(port, tls);

      await eventually(() => expect(connection.connected).toBe(true));
    },
  );

  it.each([
    [
      'another authority',
      () => ({ caPath: writeAuthority(folder, 'stranger', makeCertificateAuthority('stranger')) }),
      'SELF_SIGNED_CERT_IN_CHAIN',
    ],
    ['another host name', () => ({ serverName: 'other.test' }), 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ])('is not believed with %s', async (_case, tls, code) => {
    const { connection, reasons } = open(port, tls());

    await eventually(() => expect(reasons()).toContainEqual(expect.objectContaining({ code })));
    expect(connection.connected).toBe(false);
  });

  it('is not believed when its certificate has run out', async () => {
    const old = await tlsBroker(authority.issue({ addresses: ['127.0.0.1'], daysLeft: -1 }));
    const { connection, reasons } = open(old);

    await eventually(() => expect(reasons()).toContainEqual(expect.objectContaining({ code: 'CERT_HAS_EXPIRED' })));
    expect(connection.connected).toBe(false);
  });

  it('does not take a client without a certificate', async () => {
    const { connection, reasons } = open(port, { certPath: undefined, keyPath: undefined });

    await eventually(() => expect(reasons().length).toBeGreaterThan(0));
    expect(connection.connected).toBe(false);
  });
});

it('a client certificate that was renewed on disk is presented by the next connection', async () => {
  const port = await tlsBroker(server);
  const mine = writePair(folder, 'mine', makeCertificateAuthority('stranger').issue({ commonName: 'derms' }));
  const { connection, reasons } = open(port, mine);
  await eventually(() => expect(reasons().length).toBeGreaterThan(0));
  expect(connection.connected).toBe(false);

  writePair(folder, 'mine', authority.issue({ commonName: 'derms' }));

  await eventually(() => expect(connection.connected).toBe(true));
});

it('a password that changed under a busy connection is read again, and everything published arrives', async () => {
  const users = [{ username: 'derms', password: 'the-first-password' }];
  const broker = await startOwnBroker({ users });
  brokers.push(broker);
  const file = join(folder, 'mqtt-password');
  writeFileSync(file, 'the-first-password');
  const { log } = recordingLog();
  const connection = connectToBroker(
    {
      host: broker.host,
      port: broker.port,
      username: 'derms',
      password: new Secrets({ MQTT_PASSWORD_FILE: file }, 'no.env').reader('MQTT_PASSWORD', undefined),
      clientId: randomUUID(),
    },
    {},
    { log },
  );
  connections.push(connection);
  await eventually(() => expect(connection.connected).toBe(true));
  let acknowledged = 0;
  let connects = 0;
  connection.client.on('connect', () => (connects += 1));
  const publishing = Array.from({ length: 200 }, async (_, index) => {
    await new Promise((resolve) => setTimeout(resolve, index * 10));
    await connection.client.publishAsync('der/test', String(index), { qos: 1 });
    acknowledged += 1;
  });
  await new Promise((resolve) => setTimeout(resolve, 500));
  writeFileSync(file, 'the-second-password');
  await broker.restart({ users: [{ username: 'derms', password: 'the-second-password' }] });
  await Promise.all(publishing);

  expect({ acknowledged, connects: connects > 0, connected: connection.connected }).toEqual({
    acknowledged: 200,
    connects: true,
    connected: true,
  });
}, 30_000);
