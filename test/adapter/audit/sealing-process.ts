import { linkEntries } from '../../../audit/entry-hash';
import { startSealer } from '../../../audit/sealer';
import { sealEntries } from '../../../db/audit-chain';
import { openDatabase, type Database, type DatabaseOptions } from '../../../db/pool';
import { Registry } from '../../../observability/metrics';
import { testLog } from '../../support/servers';

/** What the parent sends: seal until the end, or stand still in the middle of sealing, with the lock in hand. */
export interface SealingOrder {
  readonly database: DatabaseOptions;
  readonly standStill: boolean;
}

process.once('message', (order) => {
  const { database, standStill } = order as SealingOrder; // the parent is a test
  const db = openDatabase({ ...database, poolSize: 1 }, testLog);
  if (!standStill) {
    startSealer(db, { keyRing: null, log: testLog, registry: new Registry() });
    process.send?.('ready');
    return;
  }
  void standStillAtWork(db);
});

/** Until it is its turn and there is something to seal. */
async function standStillAtWork(db: Database): Promise<void> {
  for (;;)
    await sealEntries(db, {
      limit: 10,
      link: (end, rows) => {
        process.kill(process.pid, 'SIGSTOP');
        return linkEntries(end, rows);
      },
    });
}
