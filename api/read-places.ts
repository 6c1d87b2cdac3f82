import { DermsError } from '../domain/errors';

export interface ReadPlaceLimits {
  /** Requests of one caller at a time; a browser sends six. */
  readonly perCaller: number;
  readonly inAll: number;
  /** Of one caller, beyond those that have a place. */
  readonly mostWaiting: number;
  /** Longest wait for a place, ms; less than a request may take. */
  readonly waitMs: number;
}

/**
 * Places for requests that read. They share connections to Postgres with those that act, so that only a few are in work
 * at a time; the others wait, and each caller in a line of their own: who asks for a thousand things at once is behind
 * themselves, not before everybody else.
 */
export interface ReadPlaces {
  /**
   * @returns what gives the place back.
   * @throws {DermsError} TOO_MANY_REQUESTS when the caller's line is full, or does not move on in time.
   */
  enter(caller: string): Promise<() => void>;
}

interface Line {
  inside: number;
  readonly waiting: (() => void)[];
}

export function createReadPlaces({ perCaller, inAll, mostWaiting, waitMs }: ReadPlaceLimits): ReadPlaces {
  /** Who was served last stands last. */
  const lines = new Map<string, Line>();
  let all = 0;

  const admit = (): void => {
    for (const [caller, line] of lines) {
      if (all >= inAll) return;
      const next = line.inside < perCaller ? line.waiting.shift() : undefined;
      if (next === undefined) continue;
      line.inside += 1;
      all += 1;
      lines.delete(caller);
      lines.set(caller, line); // the loop comes by here again, after all others
      next();
    }
  };

  const leave = (caller: string, line: Line): void => {
    line.inside -= 1;
    all -= 1;
    if (line.inside === 0 && line.waiting.length === 0) lines.delete(caller);
    admit();
  };

  const myTurn = (line: Line): Promise<void> =>
    new Promise((resolve, reject) => {
      const begin = (): void => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        line.waiting.splice(line.waiting.indexOf(begin), 1);
        reject(busy(`Other requests took longer than ${String(waitMs)} ms.`));
      }, waitMs);
      line.waiting.push(begin);
      admit();
    });

  return {
    enter: async (caller) => {
      const line = lines.get(caller) ?? { inside: 0, waiting: [] };
      if (line.waiting.length >= mostWaiting)
        throw busy(`${String(line.inside + line.waiting.length)} requests of ${caller} are under way already.`);
      lines.set(caller, line);
      await myTurn(line);
      let isInside = true;
      return () => {
        if (isInside) leave(caller, line);
        isInside = false;
      };
    },
  };
}

const busy = (message: string): DermsError => new DermsError('TOO_MANY_REQUESTS', message);
