import { ID_PATTERN } from '../contracts/topics';
import type { Logger } from '../observability/logger';
import { Counter, type Registry } from '../observability/metrics';
import type { TurnedAway } from './log-lines';

/** With a name of their own in the metrics; all others share one, so that nobody can fill them by coming under many names. */
const MOST_CLIENTS = 100;
const OTHERS = '(others)';
const MOST_CHARACTERS = 128;
/** Between two log lines about one client and one thing, ms. */
const TOLD_EVERY_MS = 60_000;

/** Counts what the broker turned away by client, and tells of each client at most once a minute. */
export function createTurnedAwayCount({
  registry,
  log,
  monotonicMs,
}: {
  registry: Registry;
  log: Logger;
  monotonicMs: () => number;
}): (event: TurnedAway) => void {
  const turnedAway = new Counter({
    name: 'derms_broker_turned_away_total',
    help: 'What the broker did not take from a client: publish (not its topic), subscribe (to what is of another), oversized (packets).',
    labelNames: ['client', 'what'],
    registers: [registry],
  });
  const named = new Set<string>();
  const told = new Map<string, { atMs: number; since: number }>();
  const nameOf = (client: string): string => {
    if (!named.has(client)) {
      if (named.size >= MOST_CLIENTS || !ID_PATTERN.test(client)) return OTHERS;
      named.add(client);
    }
    return client;
  };
  return ({ client, what, topic }) => {
    const name = nameOf(client);
    turnedAway.inc({ client: name, what });
    const key = `${what} ${name}`;
    const before = told.get(key);
    const nowMs = monotonicMs();
    if (before !== undefined && nowMs - before.atMs < TOLD_EVERY_MS) {
      before.since += 1;
      return;
    }
    told.set(key, { atMs: nowMs, since: 0 });
    log.warn(
      { deviceId: client.slice(0, MOST_CHARACTERS), what, topic, unsaid: before?.since ?? 0 },
      'the broker turned away what a client wanted',
    );
  };
}
