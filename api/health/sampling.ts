/** Something that is looked at again and again, and may hang. */
export interface Sampled<T> {
  readonly look: () => Promise<T>;
  /** Longest that one look may take, ms. What takes longer counts as failed. */
  readonly withinMs: number;
  /** Pause between the end of one look and the next, ms. */
  readonly everyMs: number;
  readonly onResult: (result: SampleResult<T>) => void;
}

export type SampleResult<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string };

/**
 * Looks at once and then for ever; `first` settles with the first result. While a look that was given up still hangs, no
 * other is begun beside it: it counts as failed until it lets go.
 */
export function keepSampling<T>(sampled: Sampled<T>): { first: Promise<void>; stop: () => void } {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let hanging: Promise<unknown> | null = null;

  const once = async (): Promise<void> => {
    const result = hanging === null ? await bounded() : { ok: false as const, reason: 'still does not answer' };
    if (stopped) return;
    sampled.onResult(result);
    timer = setTimeout(() => void once(), sampled.everyMs);
  };

  const bounded = async (): Promise<SampleResult<T>> => {
    let late: NodeJS.Timeout | undefined;
    const looking = sampled.look().then(
      (value): SampleResult<T> => ({ ok: true, value }),
      (error: unknown): SampleResult<T> => ({ ok: false, reason: reasonOf(error) }),
    );
    hanging = looking.finally(() => {
      hanging = null;
    });
    const tooLate = new Promise<SampleResult<T>>((resolve) => {
      const reason = `no answer within ${String(sampled.withinMs)} ms`;
      late = setTimeout(() => {
        resolve({ ok: false, reason });
      }, sampled.withinMs);
    });
    const result = await Promise.race([looking, tooLate]);
    clearTimeout(late);
    return result;
  };

  return {
    first: once(),
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

/** Without addresses' worth of nesting: what every address of a host said is one failure. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return reasonOf((error.errors as unknown[])[0]);
  return error instanceof Error ? error.message : String(error);
}
