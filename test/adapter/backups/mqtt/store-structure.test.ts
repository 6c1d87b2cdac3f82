import { readFileSync } from 'node:fs';
import { StoreFault } from '../../../../backups/mqtt/store-fault';
import { StoreWalker, walkStore } from '../../../../backups/mqtt/store-structure';
import { furnish, startFurnishedBroker, type FurnishedBroker } from './furnished-broker';

describe('the store that a real Mosquitto writes', () => {
  let broker: FurnishedBroker;
  let bytes: Buffer;

  beforeAll(async () => {
    broker = await startFurnishedBroker();
    const { stay } = await furnish(broker, 1_000);
    await stay.publishAsync('$plant/state', 'running', { qos: 1, retain: true });
    await broker.store.save();
    bytes = readFileSync(broker.process.storeFile);
    await stay.endAsync();
  });
  afterAll(() => broker.remove());

  it('is counted: retained messages, sessions of MQTT 5 and 3.1.1, queues of QoS 1 and 2', async () => {
    const { counts, systemRoots, sessions } = await walkStore([bytes]);
    expect(counts).toMatchObject({ dbVersion: 6, retained: 1_002, sessions: 5, messages: 1_052, unowned: 0 });
    expect(systemRoots).toEqual(['$plant']);
    const waiting = Object.fromEntries(sessions.map(({ clientId, waiting: { length } }) => [clientId, length]));
    expect(waiting).toEqual({ ingest: 50, 'agent-3.1.1': 50, nameless: 50, shares: 50, stays: 0 });
    expect(sessions.find(({ clientId }) => clientId === 'ingest')?.username).toBe('derms');
  });

  it('says when what expires does', async () => {
    const { retainedExpiries, sessions } = await walkStore([bytes]);
    const hours = (expiresAt: number): number => Math.round((expiresAt - Date.now() / 1000) / 3_600);
    expect(retainedExpiries.filter(Number.isFinite).map(hours)).toEqual([1]);
    // Sessions of 3.1.1 last as long as the broker is told, a week; those whose client is there have no end yet.
    expect(Object.fromEntries(sessions.map(({ clientId, expiresAt }) => [clientId, hours(expiresAt)]))).toEqual({
      ingest: 1,
      shares: 1,
      stays: Infinity,
      'agent-3.1.1': 168,
      nameless: 168,
    });
  });

  it('is found cut at every length it can be cut to: by itself unless between chunks, there by its size', () => {
    const walker = new StoreWalker();
    const unseen: number[] = [];
    for (let length = 1; length < bytes.length; length += 1) {
      walker.push(bytes.subarray(length - 1, length));
      if (!isFound(() => walker.end())) unseen.push(length);
      if (!isFound(() => walker.end(bytes.length))) throw new Error(`not found at ${length}`);
    }
    expect(unseen).toEqual(chunkEnds(bytes).slice(0, -1));
  });

  const isFound = (walk: () => unknown): boolean => {
    try {
      walk();
      return false;
    } catch (error) {
      if (error instanceof StoreFault) return true;
      throw error;
    }
  };
});

/** Where chunks end, by their headers alone. */
function chunkEnds(bytes: Buffer): number[] {
  const ends: number[] = [];
  for (let at = 23; at < bytes.length;) {
    at += 8 + bytes.readUInt32BE(at + 4);
    ends.push(at);
  }
  return ends;
}
