import type { SecretFact } from '../domain/secret-age';
import type { Logger } from '../observability/logger';
import type { Database } from './pool';
import { tellSecretFacts } from './secret-facts';

const EVERY_MS = 15 * 60_000;
/** After a failure: the database was away, ms. */
const AGAIN_MS = 30_000;

export interface SecretTeller {
  /** Tells now, besides. */
  tellNow(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Tells the database what this process knows of the ages of its secrets and certificates, at once and four times an hour: the
 * API's are not the workers', and no process has those of all.
 */
export function keepTellingSecrets(
  db: Database,
  {
    toldBy,
    facts,
    log,
  }: { readonly toldBy: string; readonly facts: () => readonly SecretFact[]; readonly log: Logger },
): SecretTeller {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  const tellNow = (): Promise<void> => tellSecretFacts(db, toldBy, facts());
  const round = async (): Promise<void> => {
    let pauseMs = EVERY_MS;
    try {
      await tellNow();
    } catch (err) {
      pauseMs = AGAIN_MS;
      log.warn({ err }, 'the ages of secrets could not be told to the database; it is tried again');
    }
    if (stopped) return;
    timer = setTimeout(() => {
      telling = round();
    }, pauseMs);
    timer.unref();
  };
  let telling = round();
  return {
    tellNow,
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      await telling;
    },
  };
}
