import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { oneAtATime } from '../../../api/one-at-a-time';
import { eventually } from '../../support/servers';

const REQUESTS = 40;
const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function serve(app: RequestListener): Promise<() => Promise<Socket & { said: string }>> {
  const server: Server = createServer(app).listen(0, '127.0.0.1');
  closing.push(() => server.close().closeAllConnections());
  await once(server, 'listening');
  return async () => {
    const socket = Object.assign(connect((server.address() as AddressInfo).port, '127.0.0.1'), { said: '' });
    socket.on('data', (chunk) => (socket.said += chunk.toString()));
    closing.push(() => socket.destroy());
    await once(socket, 'connect');
    return socket;
  };
}
const ask = (path: string): string => `GET /${path} HTTP/1.1\r\nhost: x\r\n\r\n`;
const ahead = Array.from({ length: REQUESTS }, (_, index) => ask(`ahead/${String(index)}`)).join('');

/** What is asked for in the order in which it is worked on; each takes the process some time. */
function recordingApp(): { app: RequestListener; order: string[] } {
  const order: string[] = [];
  const app: RequestListener = ({ url }, response) => {
    order.push(url!);
    for (const until = performance.now() + 2; performance.now() < until;) continue;
    response.end(`[${url!}]`);
  };
  return { app, order };
}

async function orderOfTwo(wrap: (app: RequestListener) => RequestListener): Promise<string[]> {
  const { app, order } = recordingApp();
  const call = await serve(wrap(app));
  const [greedy, other] = [await call(), await call()];
  greedy.write(ahead);
  other.write(ask('other'));
  await eventually(() => expect(order).toHaveLength(REQUESTS + 1));
  return order;
}

it('others have their turn between two requests that were sent ahead on one connection', async () => {
  const order = await orderOfTwo(oneAtATime);
  expect(order.indexOf('/other')).toBeLessThan(REQUESTS / 2);
  expect(order.filter((url) => url !== '/other')).toEqual(
    Array.from({ length: REQUESTS }, (_, index) => `/ahead/${String(index)}`),
  );
});

it('without it they wait for all of them', async () => {
  expect((await orderOfTwo((app) => app)).indexOf('/other')).toBe(REQUESTS);
});

it('the answers leave in the order of the requests, also when the first takes longest', async () => {
  const call = await serve(
    oneAtATime(({ url }, response) => {
      void sleep(url === '/slow' ? 50 : 0).then(() => response.end(`[${url!}]`));
    }),
  );
  const socket = await call();
  socket.write(ask('slow') + ask('a') + ask('b'));
  await eventually(() => expect(socket.said.match(/\[[^\]]*\]/g)).toEqual(['[/slow]', '[/a]', '[/b]']));
  socket.write(ask('later'));
  await eventually(() => expect(socket.said).toContain('[/later]'));
});

it('what waits behind a caller that hung up is not worked on', async () => {
  const asked: string[] = [];
  const call = await serve(oneAtATime(({ url }) => void asked.push(url!)));
  const gone = await call();
  gone.write(ask('never-answered') + ask('waits'));
  await eventually(() => expect(asked).toEqual(['/never-answered']));
  gone.destroy();
  (await call()).write(ask('another'));
  await eventually(() => expect(asked).toContain('/another'));
  await sleep(20);
  expect(asked).toEqual(['/never-answered', '/another']);
});
