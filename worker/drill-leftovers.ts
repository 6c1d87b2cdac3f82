import { mkdirSync } from 'node:fs';
import { sweepQuarantinedApis } from '../backups/restore/quarantined-api';
import type { Logger } from '../observability/logger';
import { sweepScratchPostgres } from '../servers/scratch-postgres';

/**
 * Ends and removes what drills of a killed worker left on this machine: a cluster with restored rows in it, an API that
 * runs on it. The next drill would do it too, a day later.
 */
export async function removeDrillLeftovers(parent: string, log: Logger): Promise<void> {
  try {
    mkdirSync(parent, { recursive: true });
    const left = (await sweepQuarantinedApis(parent)) + (await sweepScratchPostgres(parent));
    if (left > 0) log.warn({ left, parent }, 'a drill whose worker was killed had left something; it is removed');
  } catch (err) {
    log.warn({ err, parent }, 'what killed drills left could not be looked for');
  }
}
