import { setTimeout as sleep } from 'node:timers/promises';

/** What a canary does again and again. Every call is bounded by its own timeouts: what hangs must not hang the canary. */
export interface CanaryProbe {
  /** Resolves when `seq` is acknowledged; repeating one is harmless. */
  write(seq: number): Promise<void>;
  /** The largest `seq` that readers are shown; null where nothing is read. */
  readonly read: (() => Promise<number>) | null;
  /** Those of the acknowledged that are gone. */
  missing(acknowledged: readonly number[]): Promise<readonly number[]>;
  /** Pause between two calls, ms. */
  readonly everyMs: number;
  /** Writes acknowledged in a row that say all is well, and how long that may take; default 20 within 15 s. */
  readonly enough?: { readonly writes: number; readonly withinMs: number };
  /** Closes what it has open and removes what it wrote. */
  close(): Promise<void>;
}

/** One kind of call over the time of a drill. */
export interface CallsMeasured {
  readonly attempts: number;
  readonly failed: number;
  /** Longest time between two calls that succeeded, ms; a last one that is still open counts. */
  readonly gapMs: number;
  /** How often each message was heard. */
  readonly errors: Readonly<Record<string, number>>;
}

export interface CanaryOutcome {
  readonly writes: CallsMeasured;
  readonly reads: CallsMeasured | null;
  readonly acknowledged: number;
  /** Acknowledged and gone. */
  readonly lost: number;
  /** The first of them. */
  readonly lostSeqs: readonly number[];
  /** Reads that did not show what had been acknowledged before they began: an older copy answered. */
  readonly staleReads: number;
}

export interface Canary {
  /** Writes acknowledged until now. */
  acknowledged(): number;
  /** Ends it, and looks up everything that was acknowledged. */
  stop(): Promise<CanaryOutcome>;
  /** Ends it without looking anything up. Safe to repeat; never rejects. */
  halt(): Promise<void>;
}

/** Shown of those that are lost. */
const NAMED_LOST = 20;

/** Begins to write, one at a time and each until it is acknowledged, and to read beside it. */
export function startCanary(probe: CanaryProbe, monotonicMs = (): number => performance.now()): Canary {
  const acknowledged: number[] = [];
  let stopped = false;
  let staleReads = 0;
  const writes = measureCalls(monotonicMs);
  const reads = measureCalls(monotonicMs);

  const goOn = async (calls: CallsMeter, call: () => Promise<void>): Promise<void> => {
    while (!stopped) {
      await calls.measure(call);
      await sleep(probe.everyMs);
    }
  };
  const write = async (): Promise<void> => {
    const seq = acknowledged.length + 1;
    await probe.write(seq);
    acknowledged.push(seq);
  };
  const { read } = probe;
  const readOnce = (ask: () => Promise<number>) => async (): Promise<void> => {
    const known = acknowledged.length;
    if ((await ask()) < known) staleReads += 1;
  };
  const going = Promise.all([goOn(writes, write), read === null ? undefined : goOn(reads, readOnce(read))]);

  const halt = async (): Promise<void> => {
    stopped = true;
    await going;
  };
  return {
    acknowledged: () => acknowledged.length,
    halt,
    async stop() {
      await halt();
      const lost = await probe.missing(acknowledged);
      return {
        writes: writes.measured(),
        reads: read === null ? null : reads.measured(),
        acknowledged: acknowledged.length,
        lost: lost.length,
        lostSeqs: lost.slice(0, NAMED_LOST),
        staleReads,
      };
    },
  };
}

interface CallsMeter {
  /** Never rejects: a failure is counted. */
  measure(call: () => Promise<void>): Promise<void>;
  measured(): CallsMeasured;
}

function measureCalls(monotonicMs: () => number): CallsMeter {
  const errors = new Map<string, number>();
  let attempts = 0;
  let failed = 0;
  let gapMs = 0;
  let lastMs = monotonicMs();
  const widen = (): void => {
    gapMs = Math.max(gapMs, monotonicMs() - lastMs);
  };
  return {
    async measure(call) {
      attempts += 1;
      try {
        await call();
        widen();
        lastMs = monotonicMs();
      } catch (error) {
        failed += 1;
        const message = messageOf(error);
        errors.set(message, (errors.get(message) ?? 0) + 1);
      }
    },
    measured() {
      widen();
      return { attempts, failed, gapMs: Math.round(gapMs), errors: Object.fromEntries(errors) };
    },
  };
}

/** What every address of a host said is one failure. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return messageOf((error.errors as unknown[])[0]);
  return error instanceof Error ? error.message : String(error);
}
