import type { Tool } from '../../servers/tool';
import type { KeyRing } from '../../storage/encryption/key-ring';
import type { ObjectStorage } from '../../storage/port';
import { askScratchBroker, type ScratchAnswers } from './ask-scratch-broker';
import type { StoreCopy } from './copy-store';
import { fetchCopy } from './fetch-copy';
import { withScratchBroker } from './scratch-broker';
import type { StoreStructure } from './store-structure';

export interface ProofPorts {
  readonly storage: ObjectStorage;
  readonly keyRing: KeyRing;
  readonly mosquitto: Tool;
  /** Where the scratch broker gets its folder. Default: the system's folder for temporary files. */
  readonly scratchRoot?: string;
}

/** What was seen when the copy was fetched back and started; JSON-safe. */
export interface CopyProof extends ScratchAnswers {
  readonly seconds: { readonly fetch: number; readonly boot: number; readonly ask: number };
}

/**
 * Proves a stored copy: fetched back, decrypted, equal to what was read from the broker (sha256 and counts), and a real
 * broker starts on it and shows its retained messages and sessions.
 *
 * @throws {DermsError} `BROKER_STORE_FAULTY` when any of that does not hold; `BACKUP_UNREADABLE` when it cannot be
 * decrypted.
 */
export async function proveCopy(
  ports: ProofPorts,
  copy: Pick<StoreCopy, 'key' | 'bytes' | 'sha256'>,
  signal: AbortSignal,
): Promise<CopyProof> {
  const clock = [performance.now()];
  let structure: StoreStructure | undefined;
  return withScratchBroker(
    {
      mosquitto: ports.mosquitto,
      signal,
      ...(ports.scratchRoot === undefined ? {} : { root: ports.scratchRoot }),
    },
    async (storeFile) => {
      structure = await fetchCopy(ports, copy, storeFile, signal);
      clock.push(performance.now());
    },
    async ({ host, port }) => {
      clock.push(performance.now());
      if (structure === undefined) throw new Error('the scratch broker was started without a store');
      const answers = await askScratchBroker({ host, port, signal }, structure);
      clock.push(performance.now());
      const [fetch, boot, ask] = clock.slice(1).map((at, n) => Math.round(at - (clock[n] ?? at)) / 1000);
      return { ...answers, seconds: { fetch: fetch ?? 0, boot: boot ?? 0, ask: ask ?? 0 } };
    },
  );
}
