import { DermsError } from '../domain/errors';

/**
 * A program or server that moves nothing for this long is given up, ms: twice as long as a bucket's connection may idle,
 * so that storage which is tried again does not end what waits for it. `BACKUP_SILENCE_TIMEOUT_MS` is another.
 */
export const LONGEST_SILENCE_MS = 120_000;

export interface SilenceLimit {
  readonly ms: number;
  /** Whether it works although nothing moves (an index is built); asked each time the limit is reached. Without: it does not. */
  readonly isWorking?: () => Promise<boolean>;
}

/** Of one program: what it owes us, and whether it gives it. */
export interface SilenceWatch {
  /** Somebody waits for its output, or for its end; what nobody asks for it need not give. */
  awaited(is: boolean): void;
  /** It waits for us: input it has not been given it cannot work on. */
  starved(is: boolean): void;
  /** A byte went in or out. */
  moved(): void;
  end(): void;
}

const LOOKS = 10;
const UNWATCHED: SilenceWatch = {
  awaited: () => undefined,
  starved: () => undefined,
  moved: () => undefined,
  end: () => undefined,
};

/**
 * Calls `onSilent` once, and never without a limit, when `name` has owed us something for `limit.ms` and has moved nothing. Counts in looks and not by
 * the clock: a worker that was itself stopped for a while does not blame its programs for it.
 */
export function watchSilence(
  name: string,
  limit: SilenceLimit | undefined,
  onSilent: (error: DermsError) => void,
): SilenceWatch {
  if (limit === undefined) return UNWATCHED;
  let isAwaited = false;
  let isStarved = false;
  let looks = 0;
  let asking = false;
  const look = async (): Promise<void> => {
    if (!isAwaited || isStarved) looks = 0;
    else looks += 1;
    if (looks < LOOKS || asking) return;
    asking = true;
    const works = await (limit.isWorking?.() ?? Promise.resolve(false)).catch(() => false);
    asking = false;
    if (looks < LOOKS) return; // it moved meanwhile
    looks = 0;
    if (works) return;
    end();
    onSilent(new DermsError('TIMED_OUT', `${name} has moved no byte for ${String(limit.ms / 1000)} s`));
  };
  const timer = setInterval(() => void look(), limit.ms / LOOKS);
  const end = (): void => {
    clearInterval(timer);
  };
  return {
    end,
    awaited: (is) => {
      isAwaited = is;
    },
    starved: (is) => {
      isStarved = is;
    },
    moved: () => {
      looks = 0;
    },
  };
}
