import { DermsError } from '../../domain/errors';
import { countRetained, countSessions, resumeSession, type ScratchAddress } from './scratch-clients';
import type { StoredSession, StoreStructure } from './store-structure';

/** What a broker that was started on a copy showed. */
export interface ScratchAnswers {
  readonly retained: number;
  readonly sessions: number;
  /** Sessions that were taken up as their clients would, and how many of their waiting messages came. */
  readonly resumed: number;
  readonly delivered: number;
}

/** Of more sessions than this, so many are taken up, spread over all. */
const MOST_RESUMED = 50;
/** Of a longer queue (an ingest that was away), so many messages are taken. */
const MOST_DELIVERED = 5_000;
const DELIVERED_WITHIN_MS = 15_000;
/** Around the moment of a message's or a session's expiry either answer is right, s. */
const CLOCK_SLACK_SECONDS = 5;

/**
 * Holds a broker that was started on a copy against what the copy's structure says: each retained message, the number
 * of sessions, and that clients find their session and what waits for them. What expires meanwhile may be there or not.
 *
 * @throws {DermsError} `BROKER_STORE_FAULTY`, naming both numbers.
 */
export async function askScratchBroker(broker: ScratchAddress, structure: StoreStructure): Promise<ScratchAnswers> {
  const retained = await countRetained(broker, structure.systemRoots);
  requireCount('retained messages', retained, structure.retainedExpiries);
  const [sessions, resumed] = await Promise.all([countSessions(broker), resumeSome(broker, structure.sessions)]);
  requireCount(
    'sessions',
    sessions,
    structure.sessions.map(({ expiresAt }) => expiresAt),
  );
  return { retained, sessions, ...resumed };
}

function requireCount(what: string, seen: number, expiries: readonly number[]): void {
  const least = expiries.filter(lasts).length;
  if (seen >= least && seen <= expiries.length) return;
  const expected = least === expiries.length ? least : `${least} to ${expiries.length}`;
  throw faulty(`a broker started on the copy shows ${seen} ${what}, not the ${expected} of the copy`);
}

async function resumeSome(
  broker: ScratchAddress,
  sessions: readonly StoredSession[],
): Promise<Pick<ScratchAnswers, 'resumed' | 'delivered'>> {
  const lasting = sessions.filter(({ expiresAt }) => lasts(expiresAt));
  const every = Math.max(1, Math.ceil(lasting.length / MOST_RESUMED));
  let resumed = 0;
  let delivered = 0;
  for (const session of lasting.filter((_, index) => index % every === 0)) {
    const enough = Math.min(MOST_DELIVERED, session.waiting.filter(lasts).length);
    const answer = await resumeSession(broker, session, { enough, withinMs: DELIVERED_WITHIN_MS });
    if (!answer.isPresent) throw faulty(`a broker started on the copy has no session of client ${session.clientId}`);
    if (answer.delivered < enough) {
      const came = `${answer.delivered} of ${enough} messages`;
      throw faulty(`of what waits for client ${session.clientId} a broker started on the copy sent ${came}`);
    }
    resumed += 1;
    delivered += answer.delivered;
  }
  return { resumed, delivered };
}

const lasts = (expiresAt: number): boolean => expiresAt > Date.now() / 1000 + CLOCK_SLACK_SECONDS;

const faulty = (message: string): DermsError => new DermsError('BROKER_STORE_FAULTY', message);
