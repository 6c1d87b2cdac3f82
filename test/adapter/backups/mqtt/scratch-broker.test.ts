import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  mkdtempSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { askScratchBroker } from '../../../../backups/mqtt/ask-scratch-broker';
import { withScratchBroker } from '../../../../backups/mqtt/scratch-broker';
import { removeLeftScratch } from '../../../../backups/mqtt/scratch-leftovers';
import { walkStore, type StoreStructure } from '../../../../backups/mqtt/store-structure';
import { readToolchain } from '../../../../local/toolchain';
import type { MosquittoBroker } from '../../../../servers/mosquitto';
import { programOf, startTimeOf } from '../../../../servers/process-tree';
import { eventually } from '../../../support/servers';
import { furnish, startFurnishedBroker } from './furnished-broker';

const { mosquitto } = readToolchain();
const root = mkdtempSync(join(tmpdir(), 'derms-test-scratch-'));
const folder = mkdtempSync(join(tmpdir(), 'derms-test-store-'));
const store = join(folder, 'mosquitto.db');
const signal = new AbortController().signal;
let structure: StoreStructure;
// Mosquitto's own user has to be able to enter it.
chmodSync(root, 0o711);

const withCopy = <T>(use: (broker: MosquittoBroker) => Promise<T>): Promise<T> =>
  withScratchBroker(
    { mosquitto, root },
    async (file) => {
      copyFileSync(store, file);
    },
    use,
  );

beforeAll(async () => {
  const broker = await startFurnishedBroker();
  const { stay } = await furnish(broker, 200);
  await broker.store.save();
  copyFileSync(broker.process.storeFile, store);
  structure = await walkStore([readFileSync(store)]);
  await stay.endAsync();
  await broker.remove();
});
afterAll(() => {
  rmSync(root, { recursive: true });
  rmSync(folder, { recursive: true });
});
afterEach(() => {
  expect(readdirSync(root)).toEqual([]);
});

describe('a scratch broker', () => {
  it('pitfall: listens on loopback only, runs as somebody who is not root, and keeps the copy to itself', async () => {
    await withCopy(async ({ pid, port, storeFile }) => {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      if (process.getuid?.() === 0) expect(/^Uid:\s+(\d+)/m.exec(status)?.[1]).not.toBe('0');
      expect(statSync(dirname(storeFile)).mode & 0o777).toBe(0o700);
      const listening = readFileSync('/proc/net/tcp', 'utf8').split('\n');
      const hexPort = port.toString(16).toUpperCase().padStart(4, '0');
      const own = listening.filter((line) => line.includes(`:${hexPort} 00000000:0000 0A`));
      expect(own.map((line) => line.trim().split(/\s+/)[1])).toEqual([`0100007F:${hexPort}`]);
      expect(readFileSync(join(dirname(storeFile), 'mosquitto.conf'), 'utf8')).not.toMatch(/bridge|plugin|connection /);
    });
  });

  it('shows what the copy holds', async () => {
    const answers = await withCopy((broker) => askScratchBroker({ ...broker, signal }, structure));
    expect(answers).toEqual({ retained: 201, sessions: 5, resumed: 5, delivered: 200 });
  });

  it.each([
    ['a retained message', { retainedExpiries: [Infinity] }, /shows 201 retained messages, not the 202 of the copy/],
    [
      'a session',
      { sessions: [{ clientId: 'lost', username: null, expiresAt: Infinity, waiting: [] }] },
      /lost|5 sessions/,
    ],
  ])('is found out when it has lost %s', async (_what, more, message) => {
    const claimed = {
      ...structure,
      retainedExpiries: [...structure.retainedExpiries, ...('retainedExpiries' in more ? more.retainedExpiries : [])],
      sessions: [...structure.sessions, ...('sessions' in more ? more.sessions : [])],
    };
    await expect(withCopy((broker) => askScratchBroker({ ...broker, signal }, claimed))).rejects.toThrow(message);
  });

  it('need not show what has expired since', async () => {
    const past = Date.now() / 1000 - 60;
    const claimed = { ...structure, retainedExpiries: [...structure.retainedExpiries, past] };
    const answers = await withCopy((broker) => askScratchBroker({ ...broker, signal }, claimed));
    expect(answers.retained).toBe(201);
  });

  it('that dies while it is asked fails the proof', async () => {
    await expect(
      withCopy(async (broker) => {
        setTimeout(() => void broker.kill(), 500);
        return askScratchBroker({ ...broker, signal }, structure);
      }),
    ).rejects.toThrow(/ended the connection|ECONNREFUSED|connack timeout/);
  });

  it('of a worker that was killed is ended, and its folder removed, by the next one', async () => {
    const run = join(__dirname, '..', '..', 'broker', 'run-typescript.cjs');
    const worker = spawn(process.execPath, [run, join(__dirname, 'scratch-process.ts'), root, store, mosquitto.path]);
    const [line] = (await once(worker.stdout, 'data')) as [Buffer];
    const brokerPid = Number(line.toString());
    expect(programOf(brokerPid)).toBe('mosquitto');
    expect(await removeLeftScratch(root)).toEqual([]);

    worker.kill('SIGKILL');
    await once(worker, 'exit');
    expect(startTimeOf(brokerPid)).toBeDefined();
    expect(await removeLeftScratch(root)).toHaveLength(1);
    await eventually(() => {
      expect(startTimeOf(brokerPid)).toBeUndefined();
    });
  });

  it('of another host is left alone for a day', async () => {
    const name = join(root, 'derms-scratch-broker.elsewhere.1.2.abc');
    mkdirSync(name);
    expect(await removeLeftScratch(root)).toEqual([]);
    const twoDaysAgo = Date.now() / 1000 - 2 * 86_400;
    utimesSync(name, twoDaysAgo, twoDaysAgo);
    expect(await removeLeftScratch(root)).toEqual(['derms-scratch-broker.elsewhere.1.2.abc']);
  });
});
