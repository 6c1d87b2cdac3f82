import { setImmediate as othersFirst } from 'node:timers/promises';
import { DermsError } from '../../domain/errors';

/**
 * Turns at planning on somebody's behalf.
 *
 * A plan of a large tree keeps this process to itself for some tenths of a second, and its snapshot takes memory. So one
 * is made at a time, a few wait in line, and between two everybody else is served: health and orders do not queue behind
 * curiosity.
 */
export interface PlanningTurns {
  /** @throws {DermsError} TOO_MANY_REQUESTS when the line is full, or does not move on in time. */
  take<T>(plan: () => Promise<T>): Promise<T>;
}

export interface PlanningLine {
  readonly mostWaiting: number;
  /** Longest wait for one's turn, ms; less than a request may take. */
  readonly waitMs: number;
}

export function createPlanningTurns({ mostWaiting, waitMs }: PlanningLine): PlanningTurns {
  let isTaken = false;
  const waiting: (() => void)[] = [];

  const myTurn = (): Promise<void> => {
    if (!isTaken) {
      isTaken = true;
      return Promise.resolve();
    }
    if (waiting.length >= mostWaiting) throw busy(`${String(waiting.length)} requests for plans wait in line already.`);
    return new Promise((resolve, reject) => {
      const begin = (): void => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        waiting.splice(waiting.indexOf(begin), 1);
        reject(busy(`Other plans took longer than ${String(waitMs)} ms.`));
      }, waitMs);
      waiting.push(begin);
    });
  };

  return {
    take: async (plan) => {
      await myTurn();
      try {
        await othersFirst();
        return await plan();
      } finally {
        const next = waiting.shift();
        if (next === undefined) isTaken = false;
        else next();
      }
    },
  };
}

const busy = (message: string): DermsError => new DermsError('TOO_MANY_REQUESTS', message);
