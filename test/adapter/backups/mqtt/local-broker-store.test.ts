import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { localBrokerStore } from '../../../../backups/mqtt/local-broker-store';
import { walkStore } from '../../../../backups/mqtt/store-structure';
import { furnish, startFurnishedBroker, type FurnishedBroker } from './furnished-broker';

const unavailable = (message: RegExp): object => ({
  code: 'BROKER_STORE_UNAVAILABLE',
  message: expect.stringMatching(message),
});

describe('the store of a broker on this machine', () => {
  let broker: FurnishedBroker;
  const folder = mkdtempSync(join(tmpdir(), 'derms-test-store-'));
  const storeOf = (process: { pid: number } | { pidFile: string }, saveWithinMs = 300) =>
    localBrokerStore({ name: 'local', storePath: broker.process.storeFile, process, saveWithinMs });

  beforeAll(async () => {
    broker = await startFurnishedBroker();
  });
  afterAll(async () => {
    await broker.remove();
    rmSync(folder, { recursive: true });
  });

  it('pitfall: has everything that was acknowledged before it was saved, since it is told to save first', async () => {
    const { stay } = await furnish(broker, 1_000);
    const saved = await broker.store.save();
    const { counts } = await walkStore(broker.store.read(), saved.bytes);
    expect(counts).toMatchObject({ retained: 1_001, sessions: 5 });
    expect(Math.abs(saved.savedAtMs - Date.now())).toBeLessThan(5_000);
    await stay.endAsync();
  });

  it('is saved anew each time, also when nothing has changed', async () => {
    const first = await broker.store.save();
    const second = await broker.store.save();
    expect(second.version).not.toBe(first.version);
  });

  it('is read whole, all of one save, while the broker saves again and again under load', async () => {
    const client = await broker.connect();
    let published = 0;
    const load = setInterval(() => {
      for (let n = 0; n < 20; n += 1)
        client.publish(`load/${(published += 1)}`, 'x'.repeat(200), { qos: 1, retain: true });
    }, 5);
    try {
      let retained = 0;
      for (let round = 0; round < 10; round += 1) {
        const acknowledgedBefore = published - 20 * 100;
        await broker.store.save();
        const reading = broker.store.read();
        const saving = broker.store.save();
        const { counts } = await walkStore(reading);
        await saving;
        expect(counts.retained).toBeGreaterThanOrEqual(Math.max(retained, acknowledgedBefore));
        retained = counts.retained;
      }
    } finally {
      clearInterval(load);
      await client.endAsync(true);
    }
  });

  it('is not to be had from a broker that hangs, and is again when it goes on', async () => {
    broker.process.suspend();
    await expect(storeOf({ pid: broker.process.pid }).save()).rejects.toMatchObject(
      unavailable(/did not save .* within 0.3 s/),
    );
    broker.process.resume();
    await expect(broker.store.save()).resolves.toBeDefined();
  });

  it('is not waited for once the run is cancelled', async () => {
    broker.process.suspend();
    const cancel = new AbortController();
    const saving = broker.store.save({ signal: cancel.signal });
    setTimeout(() => {
      cancel.abort(new Error('cancelled'));
    }, 100);
    await expect(saving).rejects.toThrow();
    broker.process.resume();
  });

  it('is not asked of a process that is no mosquitto: SIGUSR1 would end it', async () => {
    const other = spawn('sleep', ['60']);
    await once(other, 'spawn');
    await expect(storeOf({ pid: other.pid! }).save()).rejects.toMatchObject(unavailable(/is sleep, not mosquitto/));
    expect(other.exitCode).toBeNull();
    expect(other.signalCode).toBeNull();
    other.kill('SIGKILL');
  });

  it('is not to be had without a pid file, with a broken one, or with that of a process that is gone', async () => {
    const pidFile = join(folder, 'mosquitto.pid');
    await expect(storeOf({ pidFile }).save()).rejects.toMatchObject(unavailable(/cannot be read/));
    for (const text of ['', 'none', '-1', '1', '0']) {
      writeFileSync(pidFile, text);
      await expect(storeOf({ pidFile }).save()).rejects.toMatchObject(unavailable(/holds no process id/));
    }
    writeFileSync(pidFile, '4194303\n');
    await expect(storeOf({ pidFile }).save()).rejects.toMatchObject(unavailable(/not running/));
  });

  it('is not to be had from a broker that is killed while it is asked, and is after it was started again', async () => {
    broker.process.suspend();
    const saving = storeOf({ pid: broker.process.pid }, 20_000).save();
    const refused = expect(saving).rejects.toMatchObject(unavailable(/ended while it was asked/));
    await sleep(200);
    await broker.process.kill();
    await refused;
    await broker.restart();
    await expect(broker.store.save()).resolves.toBeDefined();
  });
});
