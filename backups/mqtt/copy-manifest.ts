import { backupIdOf } from '../backup-key';
import { signManifest } from '../manifest';
import type { MqttManifest } from '../manifest-schema';
import type { BackupVault } from '../vault';
import type { StoreCopy } from './copy-store';
import type { CopyProof } from './prove-copy';

export interface ProvenCopy {
  readonly copy: StoreCopy;
  readonly proof: CopyProof;
  readonly runId: string;
  readonly workflowId: string;
  readonly deployment: MqttManifest['deployment'];
  readonly provenAt: Date;
}

/** What lies beside a copy from now on: it counts. */
export function copyManifest({ keyRing }: Pick<BackupVault, 'keyRing'>, proven: ProvenCopy): MqttManifest {
  const { copy, proof, runId, workflowId, deployment, provenAt } = proven;
  const { seconds, ...answers } = proof;
  return signManifest<MqttManifest>(keyRing, {
    v: 1,
    kind: 'mqtt',
    backupId: backupIdOf(copy.key),
    ...{ runId, workflowId, deployment },
    takenAt: new Date(copy.savedAtMs).toISOString(),
    object: { key: copy.key, bytes: copy.storedBytes, sha256: copy.storedSha256, keyId: copy.keyId },
    tools: {},
    steps: Object.entries({ ...copy.seconds, ...seconds }).map(([name, took]) => ({ name, seconds: took })),
    broker: copy.broker,
    store: { bytes: copy.bytes, sha256: copy.sha256 },
    counts: copy.counts,
    proof: answers,
    provenAt: provenAt.toISOString(),
  });
}
