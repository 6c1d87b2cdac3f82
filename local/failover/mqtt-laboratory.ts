import { dirname, join } from 'node:path';
import type { BrokerPlace } from '../../drills/mqtt/acts';
import { liveDispatches, recordDrill } from '../../db/drill-reports';
import { openDatabase, type Database } from '../../db/pool';
import type { BrokerActs, BrokerScenario } from '../../drills/mqtt/acts';
import { brokerCanary } from '../../drills/mqtt/canary';
import { mqttFailover } from '../../drills/mqtt/mqtt-failover';
import type { DrillReport } from '../../drills/drill';
import { runDrill, type DrillOrder } from '../../drills/run-drill';
import { createLogger } from '../../observability/logger';
import type { MosquittoBroker } from '../../servers/mosquitto';
import { startMosquitto } from '../mosquitto';
import { startTestSystem, type TestSystem } from '../test-system';

/** The whole system at a pair of brokers of its own. */
export interface MqttLaboratory {
  readonly system: TestSystem;
  /** Loses a broker and brings it back. */
  readonly acts: BrokerActs;
  /** The same drill as the job's; the API must run. */
  drill(scenario: BrokerScenario, order: DrillOrder): Promise<DrillReport>;
  stop(): Promise<void>;
}

const log = createLogger({ service: 'derms', role: 'laboratory', level: 'silent', pretty: false });

/** Servers and schema; none of our programs run yet. */
export async function startMqttLaboratory(): Promise<MqttLaboratory> {
  let standby: MosquittoBroker | undefined;
  const system = await startTestSystem({
    front: async ({ folder, brokerUser, onSpawn }) => {
      const broker = await startMosquitto({ dataDir: join(folder, 'mosquitto-standby'), users: [brokerUser], onSpawn });
      standby = broker;
      return {
        env: { MQTT_STANDBY_HOST: broker.host, MQTT_STANDBY_PORT: String(broker.port) },
        stop: async () => {
          await broker.stop();
        },
      };
    },
  });
  if (standby === undefined) throw new Error('the standby broker was not made'); // it was, above
  const { stack } = system;
  const options = {
    ...{ host: stack.mosquitto.host, port: stack.mosquitto.port, ...stack.brokerUser, prefix: 'der' },
    standby: { host: standby.host, port: standby.port },
    clientId: '',
  };
  const brokers: Record<BrokerPlace, MosquittoBroker> = { primary: stack.mosquitto, standby };
  const started: MosquittoBroker[] = [];
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
        const again = { dataDir: dirname(storeFile), port, users: [stack.brokerUser], onSpawn: stack.onSpawn };
        brokers[place] = await startMosquitto(again);
        started.push(brokers[place]);
      }
    },
  };
  return {
    system,
    acts,
    async drill(scenario, order) {
      const records = databaseOf(system);
      try {
        const canary = brokerCanary(options, order.runId, log);
        const metricsUrl = `${system.apiUrl}/metrics`;
        const surroundings = {
          metricsUrl,
          guardFacts: async () => ({
            deployment: 'development' as const,
            allowedInProduction: false,
            liveDispatches: await liveDispatches(records, 600),
          }),
          record: (report: DrillReport) => recordDrill(records, report),
        };
        return await runDrill(mqttFailover({ scenario, acts, canary, metricsUrl }), surroundings, order);
      } finally {
        await records.close();
      }
    },
    async stop() {
      for (const broker of started) await broker.stop();
      await system.stop();
    },
  };
}

function databaseOf({ environments: { worker } }: TestSystem): Database {
  const { DB_HOST: host = '', DB_PORT: port, DB_NAME: database = '' } = worker;
  const { DB_USER: user = '', DB_PASSWORD: password = '' } = worker;
  return openDatabase(
    {
      ...{ host, port: Number(port), database, user, password, poolSize: 1 },
      ...{ connectTimeoutMs: 5_000, queryTimeoutMs: 10_000, applicationName: 'laboratory' },
    },
    log,
  );
}
