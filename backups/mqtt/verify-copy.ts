import { DermsError } from '../../domain/errors';
import { StorageError } from '../../storage/storage-error';
import { readSignedManifest } from '../manifest';
import { proveCopy, type CopyProof, type ProofPorts } from './prove-copy';

/** What was seen of a stored copy; JSON-safe. */
export interface CopyVerdict {
  readonly verdict: 'passed' | 'failed';
  readonly faults: readonly string[];
  readonly seconds: Partial<CopyProof['seconds']>;
}

/**
 * Proves a stored copy again, from its manifest: signature, fetched back, decrypted, equal, and a broker starts on it.
 *
 * @throws what keeps it from being looked at (storage that does not answer, cancellation): that is no verdict.
 */
export async function verifyCopy(ports: ProofPorts, key: string, signal: AbortSignal): Promise<CopyVerdict> {
  try {
    const manifest = await readSignedManifest(ports, key, { signal });
    if (manifest.kind !== 'mqtt') return failed(`${key} is a ${manifest.kind}, not a copy of a broker's store`);
    const { seconds } = await proveCopy(ports, { key, ...manifest.store }, signal);
    return { verdict: 'passed', faults: [], seconds };
  } catch (error) {
    signal.throwIfAborted();
    if (isVerdict(error)) return failed(error.message);
    throw error;
  }
}

const failed = (fault: string): CopyVerdict => ({ verdict: 'failed', faults: [fault], seconds: {} });

/** Of what was read, and was not what it should be. */
const isVerdict = (error: unknown): error is DermsError =>
  error instanceof StorageError
    ? error.reason === 'missing' || error.reason === 'damaged'
    : error instanceof DermsError && ['BROKER_STORE_FAULTY', 'BACKUP_UNREADABLE'].includes(error.code);
