import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startMosquitto, type MosquittoOptions } from '../../../local/mosquitto';
import type { MosquittoBroker } from '../../../servers/mosquitto';

/** A broker that a test may stop, kill or suspend; the others' is not touched. */
export interface OwnBroker {
  readonly host: string;
  readonly port: number;
  readonly process: MosquittoBroker;
  /** Starts it again on its port, with what it saved and what has changed. */
  restart(changed?: Partial<MosquittoOptions>): Promise<void>;
  remove(): Promise<void>;
}

export async function startOwnBroker(options: Partial<MosquittoOptions> = {}): Promise<OwnBroker> {
  const folder = mkdtempSync(join(tmpdir(), 'derms-test-broker-'));
  const start = (port?: number, changed: Partial<MosquittoOptions> = {}): Promise<MosquittoBroker> =>
    startMosquitto({ ...options, ...changed, dataDir: join(folder, 'data'), ...(port === undefined ? {} : { port }) });
  let broker = await start();
  return {
    host: broker.host,
    port: broker.port,
    get process() {
      return broker;
    },
    async restart(changed) {
      await broker.stop();
      broker = await start(broker.port, changed);
    },
    async remove() {
      broker.resume();
      await broker.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
