import type { Attempt, LoginSubject, StreakRules } from '../../db/login-streaks';
import type { Logger } from '../../observability/logger';
import { withinTime } from '../within-time';

export const STREAK_RULES: StreakRules = { freeFailures: 5, longestBlockSeconds: 60, forgivenAfterSeconds: 900 };
/** Failures under one name from anywhere before further attempts are delayed: people mistype, also on two machines. */
const FREE_USER_FAILURES = 10;
const LONGEST_DELAY_MS = 5_000;

export interface LoginPace {
  /** The pair of user and address is not looked at before this, s; 0: it is looked at. */
  readonly blockedSeconds: number;
  /** To wait before the password is looked at, ms. */
  readonly delayMs: number;
}

export interface LoginBackOff {
  /** Counts as a failure until `succeeded` says otherwise. */
  begin(subject: LoginSubject): Promise<LoginPace>;
  succeeded(subject: LoginSubject): Promise<void>;
}

/** Where attempts are counted. */
export interface AttemptCounter {
  count(subject: LoginSubject): Promise<Attempt>;
  forget(subject: LoginSubject): Promise<void>;
}

/** A database that hangs must not keep anybody from logging in, ms. */
const COUNT_WITHIN_MS = 1_000;

/**
 * Slows down guessing. A user from an address is blocked after five failures, for up to a minute; a user from anywhere is
 * delayed by five seconds at most and never blocked, so that nobody can lock an operator out from elsewhere.
 *
 * Counted in the database, for all replicas together; while it does not answer, by each for itself.
 */
export function createLoginBackOff(counters: {
  readonly shared: AttemptCounter;
  readonly own: AttemptCounter;
  readonly isSharedUp: () => boolean;
  readonly log: Pick<Logger, 'warn'>;
}): LoginBackOff {
  const { shared, own, isSharedUp, log } = counters;
  const either = async <T>(work: (counter: AttemptCounter) => Promise<T>): Promise<T> => {
    if (!isSharedUp()) return work(own);
    try {
      return await withinTime(work(shared), COUNT_WITHIN_MS);
    } catch (err) {
      log.warn({ err }, 'log-in attempts could not be counted in the database: counted by this process alone');
      return work(own);
    }
  };
  return {
    begin: async (subject) => {
      const { blockedSeconds, userFailures } = await either((counter) => counter.count(subject));
      return { blockedSeconds, delayMs: delayMs(userFailures) };
    },
    succeeded: (subject) => either((counter) => counter.forget(subject)),
  };
}

/** 0 up to the tenth failure, then 1, 2, 4, and 5 s for ever. */
const delayMs = (userFailures: number): number =>
  userFailures <= FREE_USER_FAILURES
    ? 0
    : Math.min(LONGEST_DELAY_MS, 1_000 * 2 ** (userFailures - FREE_USER_FAILURES - 1));
