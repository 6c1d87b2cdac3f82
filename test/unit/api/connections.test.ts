import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { RequestListener, Server, ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { boundConnections } from '../../../api/connections';
import { createApiServer } from '../../../api/http-server';
import { Registry } from '../../../observability/metrics';
import { recordingLog } from '../../adapter/broker/log-lines';
import { makeCertificateAuthority, writePair } from '../../support/certificate-authority';
import { eventually } from '../../support/servers';

const folder = mkdtempSync(join(tmpdir(), 'derms-test-connections-'));
const authority = makeCertificateAuthority();
const pair = writePair(folder, 'ours', authority.issue({ names: ['api.test'] }));
const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

interface World {
  readonly port: number;
  readonly registry: Registry;
  /** Answers that are being made. */
  readonly waiting: ServerResponse[];
}

async function serve(
  most: number,
  given: { tls?: boolean; slowReaderMs?: number; app?: RequestListener } = {},
): Promise<World> {
  const waiting: ServerResponse[] = [];
  const app: RequestListener = given.app ?? ((_request, response) => waiting.push(response));
  const server: Server = createApiServer(app, given.tls === true ? pair : null, { log: recordingLog().log });
  const registry = new Registry();
  boundConnections(server, { most, slowReaderMs: given.slowReaderMs ?? 60_000, silenceMs: 60_000 }, { registry });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => server.close().closeAllConnections());
  return { port: (server.address() as AddressInfo).port, registry, waiting };
}

async function knock(port: number, tls = false): Promise<Socket> {
  const socket = tls
    ? connectTls({ port, host: '127.0.0.1', ca: authority.cert, servername: 'api.test' })
    : connect(port, '127.0.0.1');
  closing.push(() => socket.destroy());
  socket.on('error', () => undefined); // being hung up on may look like one
  await once(socket, tls ? 'secureConnect' : 'connect');
  return socket;
}
const ASK = 'GET / HTTP/1.1\r\nhost: x\r\n\r\n';
const isOver = (socket: Socket): Promise<void> => eventually(() => expect(socket.destroyed).toBe(true));
const ended = async ({ registry }: World): Promise<Record<string, number>> =>
  Object.fromEntries(
    ((await registry.getSingleMetric('derms_http_connections_ended_total')?.get())?.values ?? []).map(
      ({ labels, value }) => [String(labels['what']), value],
    ),
  );

describe.each([
  ['plain', false],
  ['with TLS', true],
])('when all places are taken, %s', (_how, tls) => {
  it('the one that has been idle for longest makes room', async () => {
    const world = await serve(2, { tls });
    const [first, second] = [await knock(world.port, tls), await knock(world.port, tls)];
    const third = await knock(world.port, tls);
    await isOver(first);
    expect([second.destroyed, third.destroyed]).toEqual([false, false]);
    expect(await ended(world)).toEqual({ idle: 1, newcomer: 0, 'slow-reader': 0 });
  });

  it('one whose request is not whole makes room, too; one whose answer is being made does not', async () => {
    const world = await serve(2, { tls });
    const busy = await knock(world.port, tls);
    busy.write(ASK);
    await eventually(() => expect(world.waiting).toHaveLength(1));
    const half = await knock(world.port, tls);
    half.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf of it');
    await eventually(() => expect(world.waiting).toHaveLength(2));
    await knock(world.port, tls);
    await isOver(half);
    expect(busy.destroyed).toBe(false);
  });

  it('by answers that are being made, the newcomer goes', async () => {
    const world = await serve(1, { tls });
    const busy = await knock(world.port, tls);
    busy.write(ASK);
    await eventually(() => expect(world.waiting).toHaveLength(1));
    const newcomer = await knock(world.port, tls).catch(() => null);
    if (newcomer !== null) await isOver(newcomer);
    expect(busy.destroyed).toBe(false);
    expect(await ended(world)).toEqual({ idle: 0, newcomer: 1, 'slow-reader': 0 });
  });

  it('whoever takes nothing of an answer is hung up on', async () => {
    const app: RequestListener = (_request, response) => void response.end(Buffer.alloc(50_000_000));
    const world = await serve(5, { tls, app, slowReaderMs: 3_000 });
    const [slow, quick] = [await knock(world.port, tls), await knock(world.port, tls)];
    let taken = 0;
    quick.on('data', (chunk: Buffer) => (taken += chunk.length));
    slow.pause();
    for (const socket of [slow, quick]) socket.write(ASK);
    await eventually(() => expect(taken).toBeGreaterThan(50_000_000));
    await eventually(async () => expect(await ended(world)).toMatchObject({ 'slow-reader': 1 }));
  });
});
