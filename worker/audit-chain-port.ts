import { signHead } from '../audit/head';
import { sealAll } from '../audit/sealer';
import { readStoredHeads, storeHead } from '../audit/stored-heads';
import { verifyAudit } from '../audit/verify';
import type { BackupVault } from '../backups/vault';
import { signChainEnd } from '../db/audit-chain';
import type { Database } from '../db/pool';
import type { AuditChainPort } from '../jobs/runner/ports';

/** Joins the chain of the audit log to this deployment; a sentence where it lacks something. */
export function auditChainPort(vault: BackupVault | null, db: Database): AuditChainPort | string {
  if (vault === null) return 'BACKUP_STORAGE or BACKUP_ENCRYPTION_KEYS is not set: there is nowhere to put a head';
  const { storage, keyRing } = vault;
  return {
    storeHead: async (signal) => {
      await sealAll(db);
      const head = await signChainEnd(db, 0, signHead(keyRing));
      if (head === null) return null;
      const { position, signedAt } = head;
      return { key: await storeHead(storage, head, signal), position, signedAt };
    },
    verify: async (signal, onProgress) => {
      const stored = await readStoredHeads(storage);
      return verifyAudit(db, { keyRing, stored, signal, onProgress });
    },
  };
}
