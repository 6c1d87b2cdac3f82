import type { Actor, AuditEntry } from '../../db/audit';
import type { Logger } from '../../observability/logger';
import type { Counter } from '../../observability/metrics';
import { withinTime } from '../within-time';

/** A refused attempt of a kind that may come in floods. */
export interface Refusal {
  readonly actor: Actor;
  readonly action: string;
  readonly subject: string;
  readonly code: string;
}

/** Refused attempts in sums: one entry a minute for each kind of attempt from each address. */
export interface RefusalSums {
  /** The first of its kind is written at once, those that follow with how many there were. Never throws. */
  add(refusal: Refusal): void;
  /** Writes what is summed up to now. Never rejects. */
  flush(): Promise<void>;
  /** Writes it and ends. */
  stop(): Promise<void>;
}

interface Sum {
  readonly refusal: Refusal;
  attempts: number;
  readonly firstAt: string;
  lastAt: string;
}

const WINDOW_MS = 60_000;
/** Kinds told apart in one window: what a flood of addresses can make us write. What is beyond is one sum. */
const MOST_KINDS = 500;
/** A database that hangs must not keep the process from ending, ms. */
const WRITE_WITHIN_MS = 1_000;
const ELSEWHERE = { user: 'anyone', role: 'anyone', requestId: '-', address: 'many' } as const;

export function createRefusalSums({
  append,
  failures,
  log,
  now,
}: {
  readonly append: (actor: Actor, entry: AuditEntry) => Promise<void>;
  readonly failures: Counter;
  readonly log: Logger;
  readonly now: () => Date;
}): RefusalSums {
  /** Of this window; `attempts` counts those that are not written yet. */
  let sums = new Map<string, Sum>();

  const write = async (refusal: Refusal, told: Readonly<Record<string, unknown>>): Promise<void> => {
    const { actor, action, subject, code } = refusal;
    try {
      const entry = { action, subject, outcome: 'refused' as const, detail: { code, ...told } };
      await withinTime(append(actor, entry), WRITE_WITHIN_MS);
    } catch (err) {
      failures.inc();
      log.error({ err, action, requestId: actor.requestId }, 'a refused attempt could not be audited');
    }
  };
  const flush = async (): Promise<void> => {
    const over = [...sums.values()].filter(({ attempts }) => attempts > 0);
    sums = new Map();
    for (const { refusal, attempts, firstAt, lastAt } of over) await write(refusal, { attempts, firstAt, lastAt });
  };
  const timer = setInterval(() => void flush(), WINDOW_MS);
  timer.unref();

  return {
    add: (refusal) => {
      const at = now().toISOString();
      const kind = sums.get(kindOf(refusal));
      if (kind !== undefined || sums.size < MOST_KINDS) {
        if (kind === undefined) {
          sums.set(kindOf(refusal), { refusal, attempts: 0, firstAt: at, lastAt: at });
          void write(refusal, { attempts: 1 });
        } else count(kind, at);
        return;
      }
      const beyond = { ...refusal, actor: ELSEWHERE, subject: 'many' };
      const sum = sums.get(kindOf(beyond)) ?? { refusal: beyond, attempts: 0, firstAt: at, lastAt: at };
      count(sum, at);
      sums.set(kindOf(beyond), sum);
    },
    flush,
    stop: async () => {
      clearInterval(timer);
      await flush();
    },
  };
}

function count(sum: Sum, at: string): void {
  sum.attempts += 1;
  sum.lastAt = at;
}

const kindOf = ({ actor: { user, address }, action, subject, code }: Refusal): string =>
  JSON.stringify([user, address, action, subject, code]);
