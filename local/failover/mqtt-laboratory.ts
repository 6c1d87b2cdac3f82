import type { BrokerActs, BrokerScenario } from '../../drills/mqtt/acts';
import { brokerCanary } from '../../drills/mqtt/canary';
import { mqttFailover } from '../../drills/mqtt/mqtt-failover';
import type { DrillReport } from '../../drills/drill';
import { runDrill, type DrillOrder } from '../../drills/run-drill';
import { createLogger } from '../../observability/logger';
import { startTestSystem, type TestSystem, type TestSystemOptions } from '../test-system';
import { openApplicationDatabase } from './application-database';
import { startBrokerPair, type BrokerPair } from './broker-pair';
import { surroundingsHere } from './surroundings-here';

/** The whole system at a pair of brokers of its own. */
export interface MqttLaboratory {
  readonly system: TestSystem;
  readonly brokers: Pick<BrokerPair, 'primary' | 'standby'>;
  /** Loses a broker and brings it back. */
  readonly acts: BrokerActs;
  /** The same drill as the job's; the API must run. */
  drill(scenario: BrokerScenario, order: DrillOrder): Promise<DrillReport>;
  stop(): Promise<void>;
}

const log = createLogger({ service: 'derms', role: 'laboratory', level: 'silent', pretty: false });

/** Servers and schema; none of our programs run yet. */
export async function startMqttLaboratory(
  options: Pick<TestSystemOptions, 'profile' | 'env' | 'mosquittoConfig'> = {},
): Promise<MqttLaboratory> {
  let pair: BrokerPair | undefined;
  const system = await startTestSystem({
    ...options,
    front: async (stack) => {
      pair = await startBrokerPair(stack);
      return pair;
    },
  });
  if (pair === undefined) throw new Error('the standby broker was not made'); // it was, above
  const { stack } = system;
  const { primary, standby, acts } = pair;
  const access = {
    ...{ host: primary.host, port: primary.port, ...stack.brokerUser, prefix: 'der' },
    standby: { host: standby.host, port: standby.port },
    clientId: '',
  };
  return {
    ...{ system, acts, brokers: { primary, standby } },
    async drill(scenario, order) {
      const records = openApplicationDatabase(system, { timeoutMs: 10_000, poolSize: 1 });
      try {
        const canary = brokerCanary(access, order.runId, log);
        const metricsUrl = `${system.apiUrl}/metrics`;
        return await runDrill(
          mqttFailover({ scenario, acts, canary, metricsUrl }),
          surroundingsHere(system, records),
          order,
        );
      } finally {
        await records.close();
      }
    },
    stop: () => system.stop(),
  };
}
