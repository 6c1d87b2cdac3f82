import { dirname, join } from 'node:path';
import type { BrokerActs, BrokerPlace } from '../../drills/mqtt/acts';
import type { MosquittoBroker } from '../../servers/mosquitto';
import type { Environment } from '../environments';
import { startMosquitto } from '../mosquitto';
import type { TestStack } from '../test-stack';

/** A standby beside the broker of a stack, and what breaks both. */
export interface BrokerPair {
  readonly primary: MosquittoBroker;
  readonly standby: MosquittoBroker;
  /** Loses a broker and brings it back. */
  readonly acts: BrokerActs;
  /** What our programs are told. */
  readonly env: Environment;
  /** Ends what it started; the first broker is ended by who started it, unless it was started anew. */
  stop(): Promise<void>;
}

export async function startBrokerPair(stack: TestStack): Promise<BrokerPair> {
  const { folder, brokerUser, onSpawn } = stack;
  const standby = await startMosquitto({ dataDir: join(folder, 'mosquitto-standby'), users: [brokerUser], onSpawn });
  const brokers: Record<BrokerPlace, MosquittoBroker> = { primary: stack.mosquitto, standby };
  const started: MosquittoBroker[] = [standby];
  const acts: BrokerActs = {
    async lose(scenario, place) {
      if (scenario === 'crash') await brokers[place].kill();
      else brokers[place].suspend();
    },
    async comeBack() {
      for (const place of ['primary', 'standby'] as const) {
        const { port, storeFile, isRunning } = brokers[place];
        brokers[place].resume();
        if (isRunning()) continue;
        brokers[place] = await startMosquitto({ dataDir: dirname(storeFile), port, users: [brokerUser], onSpawn });
        started.push(brokers[place]);
      }
    },
  };
  return {
    ...{ primary: stack.mosquitto, standby, acts },
    env: { MQTT_STANDBY_HOST: standby.host, MQTT_STANDBY_PORT: String(standby.port) },
    async stop() {
      for (const broker of started) {
        broker.resume();
        await broker.stop();
      }
    },
  };
}
