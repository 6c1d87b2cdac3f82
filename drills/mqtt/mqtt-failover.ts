import { setTimeout as sleep } from 'node:timers/promises';
import type { Drill, DrillTools, Finding } from '../drill';
import { readMetricsPage } from '../metrics-page';
import type { BrokerActs, BrokerScenario } from './acts';
import type { BrokerCanary } from './canary';

export interface BrokerDrillOptions {
  readonly scenario: BrokerScenario;
  readonly acts: BrokerActs;
  /** The page of the process whose alert must fire: the broker that it goes by is the one that is lost. */
  readonly metricsUrl: string;
  /** Closed by the drill. */
  readonly canary: BrokerCanary;
}

const STORIES = {
  crash: {
    gapMs: 2_000,
    hypothesis: 'When the broker in use is killed, setpoints are acknowledged again within 2 s and none is lost.',
    blastRadius: 'devices at that broker hear nothing until they are at the other one, within seconds',
  },
  hung: {
    gapMs: 5_000,
    hypothesis: 'When the broker in use hangs, setpoints are acknowledged again within 5 s and none is lost.',
    blastRadius: 'setpoints wait for up to 5 s; devices at that broker hear nothing until they are at the other one',
  },
} as const;
const RECOVERY_MS = 60_000;
const RETURN_WITHIN_MS = 30_000;
const LOOK_EVERY_MS = 50;

/** The loss of the broker in use under a canary that takes the setpoints' road, and its return. */
export function mqttFailover({ scenario, acts, canary, metricsUrl }: BrokerDrillOptions): Drill {
  const { gapMs, ...story } = STORIES[scenario];
  return {
    ...{ name: 'mqtt-failover', scenario, ...story },
    budget: { gapMs, errors: null, lost: 0, recoveryMs: RECOVERY_MS },
    gauge: { name: 'derms_mqtt_up', expected: 'dips' },
    canary,
    async act(tools) {
      if (canary.brokersThere() < 2) throw new Error('both brokers must be there before one is lost');
      const page = await readMetricsPage(metricsUrl);
      const place = page.having('derms_mqtt_broker_in_use', 1).some((labels) => labels.includes('standby'))
        ? 'standby'
        : 'primary';
      tools.step(`the ${place} broker ${scenario === 'crash' ? 'is killed' : 'hangs'}`);
      await acts.lose(scenario, place, tools);
    },
    aftermath: async (tools) => [await returned(acts, canary, tools)],
    recover: () => acts.comeBack(),
  };
}

async function returned(acts: BrokerActs, canary: BrokerCanary, tools: DrillTools): Promise<Finding> {
  const what = 'the old active is published to again';
  const began = performance.now();
  await acts.comeBack();
  tools.step('the old active is back');
  while (canary.brokersThere() < 2) {
    if (performance.now() - began > RETURN_WITHIN_MS)
      return { what, holds: false, detail: `not within ${String(RETURN_WITHIN_MS)} ms` };
    await sleep(LOOK_EVERY_MS, undefined, { signal: tools.signal });
  }
  const ms = Math.round(performance.now() - began);
  tools.figure('returnMs', ms);
  return { what, holds: true, detail: `after ${String(ms)} ms` };
}
