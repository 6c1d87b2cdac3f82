import type { PostgresLogin } from '../../config/postgres-url';
import { onNode } from './node';

/** PgBouncer's own console: what is asked meanwhile waits, and nothing fails. */
export interface Pooler {
  /** Resolves when no transaction is open any more. @throws when one is still after `withinMs`; it goes on then. */
  pause(withinMs: number): Promise<void>;
  /** Safe to repeat. */
  resume(): Promise<void>;
}

export function pgBouncer(login: PostgresLogin): Pooler {
  const ask = (sql: string): Promise<unknown> =>
    onNode({ ...login, database: 'pgbouncer' }, (console_) => console_.query(sql));
  const resume = async (): Promise<void> => {
    try {
      await ask(`resume`);
    } catch (error) {
      if (!(error instanceof Error) || !/not paused/i.test(error.message)) throw error;
    }
  };
  return {
    resume,
    async pause(withinMs) {
      let timer: NodeJS.Timeout | undefined;
      const tooLate = new Promise<never>((_, reject) => {
        timer = setTimeout(() => {
          reject(new Error(`a transaction has kept the pooler from pausing for ${String(withinMs)} ms`));
        }, withinMs);
      });
      const paused = ask('pause');
      try {
        await Promise.race([paused, tooLate]);
      } catch (error) {
        paused.catch(() => undefined); // given up: what it says now is of no interest
        await resume();
        throw error;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
