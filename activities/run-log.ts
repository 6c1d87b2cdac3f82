import type { JobLog } from '../jobs/runner/context';
import type { RunEvent } from './job-ports';

type Kept = RunEvent & { readonly atMs: number };

export interface RunLog extends JobLog {
  /** The process's log alone. */
  readonly own: JobLog;
  event(event: RunEvent): void;
  /** Stores what is not stored yet. Never rejects. */
  end(): Promise<void>;
}

const FLUSH_MS = 250;
/** Of one attempt; the process's log has them all. */
const MOST_LINES = 1_000;

/**
 * A run's lines: each goes to the process's log, and to the run's own story in groups. A story that cannot be stored is
 * said in the process's log, and does not end the work.
 */
export function keepRunLog(own: JobLog, store: (events: readonly Kept[]) => Promise<void>, now: () => Date): RunLog {
  let waiting: Kept[] = [];
  let lines = 0;
  let storing: Promise<void> = Promise.resolve();
  const flush = async (): Promise<void> => {
    const events = waiting;
    waiting = [];
    if (events.length === 0) return;
    try {
      await store(events);
    } catch (err) {
      own.warn({ err, lost: events.length }, 'lines of the run could not be stored');
    }
  };
  const event = (event: RunEvent): void => {
    waiting.push({ ...event, atMs: now().getTime() });
  };
  const line =
    (level: 'info' | 'warn' | 'error') =>
    (fields: object, message: string): void => {
      own[level](fields, message);
      lines += 1;
      if (lines <= MOST_LINES) event({ kind: 'log', level, message, fields: readable(fields) });
    };
  const timer = setInterval(() => {
    storing = storing.then(flush);
  }, FLUSH_MS);
  return {
    own,
    event,
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
    end: async () => {
      clearInterval(timer);
      storing = storing.then(flush);
      await storing;
    },
  };
}

/** Errors have no JSON of their own. */
const readable = (fields: object): object =>
  Object.fromEntries(
    Object.entries(fields).map(([name, value]: [string, unknown]) => [
      name,
      value instanceof Error ? value.message : value,
    ]),
  );
