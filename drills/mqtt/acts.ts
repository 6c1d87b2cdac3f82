import { runActCommand } from '../act-command';
import type { DrillTools } from '../drill';

/** Ways to lose a broker: killed, or hung with its connections open. */
export const BROKER_SCENARIOS = ['crash', 'hung'] as const;
export type BrokerScenario = (typeof BROKER_SCENARIOS)[number];

/** What breaks the primary broker and brings it back: an operator's program, or a laboratory's processes. */
export interface BrokerActs {
  lose(scenario: BrokerScenario, tools: DrillTools): Promise<void>;
  /** Safe to repeat, and while it runs. */
  comeBack(): Promise<void>;
}

const COMMAND_MS = 60_000;

/** Asks the program for `crash`, `hung` or `return`, with the address of the primary broker. */
export const brokerActsByCommand = (words: readonly string[], broker: string): BrokerActs => ({
  lose: (scenario, { signal }) => runActCommand({ words, withinMs: COMMAND_MS }, [scenario, broker], signal),
  comeBack: () =>
    runActCommand({ words, withinMs: COMMAND_MS }, ['return', broker], AbortSignal.timeout(2 * COMMAND_MS)),
});
