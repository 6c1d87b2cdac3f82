import { storeDeletions } from '../backups/deletions/ledger';
import type { BackupVault } from '../backups/vault';
import { countUnstored, markStored, unstoredDeletions } from '../db/deletions';
import type { Database } from '../db/pool';
import type { Logger } from '../observability/logger';
import { Gauge, type Registry } from '../observability/metrics';

/** What was deleted is in storage within about this, ms: what is deleted and lost with the database sooner comes back. */
const EVERY_MS = 15_000;
const PAGE = 5_000;

/**
 * Copies what was deleted from the database to the storage of the backups, at once and four times a minute; in order, each
 * at least once. `derms_deletions_not_stored` says how many are waiting.
 */
export function keepStoringDeletions(
  db: Database,
  vault: BackupVault,
  { log, registry }: { readonly log: Logger; readonly registry: Registry },
): { stop(): Promise<void> } {
  const waiting = new Gauge({
    name: 'derms_deletions_not_stored',
    help: 'Deletions that the storage of the backups does not know yet: a restore would bring back what they took away.',
    registers: [registry],
  });
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  const round = async (): Promise<void> => {
    try {
      await storeAll(db, vault);
    } catch (err) {
      log.warn({ err }, 'what was deleted could not be told to the storage of the backups; it is tried again');
    }
    await countUnstored(db).then(
      (count) => {
        waiting.set(count);
      },
      () => undefined, // the database is away, which others say
    );
    if (stopped) return;
    timer = setTimeout(() => {
      storing = round();
    }, EVERY_MS);
    timer.unref();
  };
  let storing = round();
  return {
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      await storing;
    },
  };
}

/** @returns how many. */
async function storeAll(db: Database, vault: BackupVault): Promise<number> {
  for (let total = 0; ;) {
    const deletions = await unstoredDeletions(db, PAGE);
    if (deletions.length === 0) return total;
    await storeDeletions(vault, deletions, new Date());
    await markStored(
      db,
      deletions.map(({ deletionId }) => deletionId),
    );
    total += deletions.length;
  }
}
