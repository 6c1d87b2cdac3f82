import { sealEntries, signChainEnd } from '../db/audit-chain';
import type { Database } from '../db/pool';
import type { Logger } from '../observability/logger';
import { Counter, type Registry } from '../observability/metrics';
import type { KeyRing } from '../storage/encryption/key-ring';
import { linkEntries } from './entry-hash';
import { signHead } from './head';

/** A row waits for about half of this, and for the round that it is sealed in, ms. */
const EVERY_MS = 500;
const BATCH = 2_000;
/** Jittered, so that replicas do not ask in step. */
const JITTER = 0.2;
const HEAD_EVERY_MS = 3_600_000;
/** Whether a head is due is asked this often, ms. */
const HEAD_ASKED_EVERY_MS = 60_000;
/** After an attempt that failed, and the longest after several in a row: the database is away, ms. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 5_000;

export interface Sealer {
  /** Resolves when what is under way is over. */
  stop(): Promise<void>;
}

/**
 * Chains what was committed, twice a second, and with a key signs the end of the chain every hour. Any number of processes may
 * run it: one at a time seals, the others find that it is being done.
 */
export function startSealer(
  db: Database,
  { keyRing, log, registry }: { keyRing: KeyRing | null; log: Logger; registry: Registry },
): Sealer {
  const registers = [registry];
  const sealed = new Counter({ name: 'derms_audit_sealed_total', help: 'Audit entries that were sealed.', registers });
  const failures = new Counter({
    name: 'derms_audit_seal_failures_total',
    help: 'Attempts to seal or sign that failed.',
    registers,
  });
  let stopping = false;
  let wake = (): void => undefined;
  let askedAtMs = -Infinity;
  let pauseMs = FIRST_PAUSE_MS;

  const round = async (): Promise<number> => {
    try {
      sealed.inc(await sealAll(db, () => stopping));
      if (keyRing !== null && performance.now() - askedAtMs > HEAD_ASKED_EVERY_MS) {
        await signChainEnd(db, HEAD_EVERY_MS, signHead(keyRing));
        askedAtMs = performance.now();
      }
      pauseMs = FIRST_PAUSE_MS;
      return EVERY_MS;
    } catch (err) {
      failures.inc();
      log.warn({ err }, 'audit entries could not be sealed; it is tried again');
      const thisPauseMs = pauseMs;
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
      return thisPauseMs;
    }
  };
  const run = async (): Promise<void> => {
    while (!stopping) {
      const waitMs = await round();
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, waitMs * (1 - JITTER * Math.random()));
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
        if (stopping) wake();
      });
    }
  };
  const running = run();
  return {
    stop: async () => {
      stopping = true;
      wake();
      await running;
    },
  };
}

/** Seals until nothing is left, or another process is at it. @returns how many. */
export async function sealAll(db: Database, stopping: () => boolean = () => false): Promise<number> {
  for (let total = 0; ;) {
    const sealed = await sealEntries(db, { limit: BATCH, link: linkEntries });
    total += sealed ?? 0;
    if (sealed === null || sealed < BATCH || stopping()) return total;
  }
}
