import { runActCommand } from '../act-command';
import type { BrokerPlace } from '../../broker/pair';
import type { DrillTools } from '../drill';

export type { BrokerPlace } from '../../broker/pair';

/** Ways to lose a broker: killed, or hung with its connections open. */
export const BROKER_SCENARIOS = ['crash', 'hung'] as const;
export type BrokerScenario = (typeof BROKER_SCENARIOS)[number];

/** What breaks a broker and brings it back: an operator's program, or a laboratory's processes. */
export interface BrokerActs {
  lose(scenario: BrokerScenario, place: BrokerPlace, tools: DrillTools): Promise<void>;
  /** Both run again. Safe to repeat, and while they run. */
  comeBack(): Promise<void>;
}

const COMMAND_MS = 60_000;

/** Asks the program for `crash`, `hung` or `return`, with the address of the broker. */
export const brokerActsByCommand = (
  words: readonly string[],
  addresses: Readonly<Record<BrokerPlace, string>>,
): BrokerActs => ({
  lose: (scenario, place, { signal }) =>
    runActCommand({ words, withinMs: COMMAND_MS }, [scenario, addresses[place]], signal),
  async comeBack() {
    for (const address of Object.values(addresses))
      await runActCommand({ words, withinMs: COMMAND_MS }, ['return', address], AbortSignal.timeout(COMMAND_MS));
  },
});
