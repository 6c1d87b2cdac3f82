import { DermsError } from '../domain/errors';

/**
 * Waits no longer than `ms`; what comes later is dropped, not undone.
 *
 * @throws {DermsError} TIMED_OUT
 */
export async function withinTime<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new DermsError('TIMED_OUT', `There was no answer within ${String(ms)} ms.`));
    }, ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
