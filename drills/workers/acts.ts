import type { DrillTools } from '../drill';

/** A worker is lost with all its roles: its machine is switched off. */
export const WORKER_SCENARIOS = ['crash'] as const;
export type WorkerScenario = (typeof WORKER_SCENARIOS)[number];

/** What kills a worker and sees to its return: an operator's program, or a laboratory's process. */
export interface WorkerActs {
  /** Workers that take control cycles now; one that was killed may count for another minute. */
  workers(): Promise<number>;
  /** kill -9, or what comes to the same; not the worker that the drill itself runs on. */
  crash(tools: DrillTools): Promise<void>;
  /** Resolves when as many workers run as before. */
  bringBack(tools: DrillTools): Promise<void>;
}
