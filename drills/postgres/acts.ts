import type { DrillTools } from '../drill';

/** Ways to lose a primary: handed over in order, killed, or hung with its connections open. */
export const FAILOVER_SCENARIOS = ['planned', 'crash', 'hung'] as const;
export type FailoverScenario = (typeof FAILOVER_SCENARIOS)[number];

/** What breaks PostgreSQL and mends it: SQL and a pooler, an operator's program, or a laboratory's processes. */
export interface PostgresActs {
  /** Carries it out, the old primary fenced included; resolves when a new primary was promoted. */
  failOver(scenario: FailoverScenario, tools: DrillTools): Promise<void>;
  /** Tries to write on the old primary, straight; resolves with how it refused. @throws when the write was taken. */
  writeOnOldPrimary(): Promise<string>;
  /** Makes the old primary a standby of the new one; resolves when it streams. */
  rejoin(tools: DrillTools): Promise<void>;
  /** New connections that the new primary was opened in its busiest second; null where that cannot be seen. */
  peakConnectionsPerSecond(): number | null;
  /** Undoes what a failed or interrupted failover may have left: a pooler that pauses. Safe to repeat. */
  recover(): Promise<void>;
  close(): Promise<void>;
}
