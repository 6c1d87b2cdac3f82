import { backupIdOf } from '../backup-key';
import { signManifest, writeManifest } from '../manifest';
import type { BaseManifest } from '../manifest-schema';
import { verdictOf, type BackupVerdict } from '../verdict';
import { lookAtBase, type LookOrder, type LookPorts } from './look-at-base';
import type { StoredBase } from './store-base';

export interface ProveOrder extends LookOrder {
  readonly runId: string;
  readonly workflowId: string;
  readonly deployment: BaseManifest['deployment'];
}

export interface BaseProof extends BackupVerdict {
  /** null when it is none: then nothing lies beside the object, which a later run sweeps. */
  readonly manifest: BaseManifest | null;
}

/** Makes a backup of what `storeBase` has stored: looks at it, and when it is whole puts the signed manifest beside it. */
export async function proveBase(ports: LookPorts, stored: StoredBase, order: ProveOrder): Promise<BaseProof> {
  const { object, compressed, plain: archive, cluster } = stored;
  const { segmentBytes, superuser, server } = cluster;
  const expected = { object, compressed, archive, segmentBytes, systemIdentifier: server.systemIdentifier };
  const { faults, unpacked, seconds } = await lookAtBase(ports, expected, order);
  if (unpacked === null || faults.length > 0) return { verdict: 'failed', faults, seconds, manifest: null };
  const { startLsn, stopLsn, startWalFile, timeline } = unpacked;
  const manifest = signManifest<BaseManifest>(ports.keyRing, {
    ...{ v: 1, kind: 'base', backupId: backupIdOf(object.key), runId: order.runId, workflowId: order.workflowId },
    ...{ deployment: order.deployment, takenAt: stored.takenAt, object, archive, compressed },
    ...{ startLsn, stopLsn, startWalFile, segmentBytes, superuser },
    server: { ...server, timeline },
    tools: stored.tools,
    steps: [
      { name: 'copy', seconds: stored.seconds },
      { name: 'unpack', seconds: seconds.unpack },
      { name: 'pg_verifybackup', seconds: seconds.pg_verifybackup },
    ],
  });
  await writeManifest(ports.storage, manifest, order);
  return { verdict: verdictOf(faults), faults, seconds, manifest };
}
