import { schemaFault } from '../db/migrate';
import type { Queryable } from '../db/pool';
import type { Logger } from '../observability/logger';

const LOOK_EVERY_MS = 1_000;
/** Looks between two log lines about the same fault. */
const SAY_EVERY = 30;

/**
 * Resolves when the schema is the one this program was written for. Until then nothing is planned and nothing taken:
 * migrations may be on their way, a newer schema needs a newer program, a database that is away says neither.
 */
export async function untilSchemaIsOurs(db: Queryable, log: Logger, lookEveryMs = LOOK_EVERY_MS): Promise<void> {
  for (let look = 0; ; look += 1) {
    const fault = await faultOf(db);
    if (fault === null) return;
    if (look % SAY_EVERY === 0) log.warn({ fault }, 'waiting for the schema of this program');
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
  }
}

const faultOf = async (db: Queryable): Promise<string | null> => {
  try {
    return await schemaFault({ query: (text) => db.query(text) });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
};
