import { setTimeout as sleep } from 'node:timers/promises';

/** `invalid_password`, which no statement of ours can meet: the server has not let us in, nothing has run. */
const REFUSED = '28P01';
const PAUSE_MS = 100;

/**
 * Between the moment a password changes in PostgreSQL and the moment it changes in our file, new connections are refused.
 * Whoever wants one waits for the file, as long as for a connection otherwise.
 */
export async function throughRotation<T>(attempt: () => Promise<T>, withinMs: number): Promise<T> {
  const until = performance.now() + withinMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      const refused = (error as { code?: unknown }).code === REFUSED;
      if (!refused || performance.now() > until) throw error;
    }
    await sleep(PAUSE_MS * (0.75 + Math.random() / 2));
  }
}
