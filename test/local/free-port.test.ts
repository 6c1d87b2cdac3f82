import { createServer } from 'node:net';
import { choosePort, choosePortRange, freePort } from '../../servers/free-port';

const listening = async <T>(port: number, host: string, use: () => Promise<T>): Promise<T> => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  try {
    return await use();
  } finally {
    server.close();
  }
};

describe('choosing a port', () => {
  it.each(['127.0.0.1', '0.0.0.0'])(
    'takes another one and says so when the preferred one is taken on %s',
    async (host) => {
      const taken = await freePort();
      const chosen = await listening(taken, host, () => choosePort(taken));
      expect(chosen.preferredTaken).toBe(true);
      expect(chosen.port).not.toBe(taken);
    },
  );

  it('never gives the same port twice', async () => {
    const ports = await Promise.all(Array.from({ length: 100 }, freePort));
    expect(new Set(ports).size).toBe(100);
    await expect(choosePort(ports[0])).resolves.toMatchObject({ preferredTaken: true });
  });

  it('moves a whole row when one of its ports is taken', async () => {
    const taken = await freePort();
    const first = taken - 2;
    const chosen = await listening(taken, '127.0.0.1', () => choosePortRange(4, first));
    expect(chosen.preferredTaken).toBe(true);
    expect(chosen.port).toBeGreaterThanOrEqual(first + 4);
    expect((chosen.port - first) % 4).toBe(0);
  });
});
