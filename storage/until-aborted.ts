/**
 * Passes `source` on until `signal` fires: then it throws the signal's reason at once, also while the source is silent,
 * and tells the source to end without waiting for it.
 */
export function untilAborted<T>(source: AsyncIterable<T>, signal: AbortSignal | undefined): AsyncIterable<T> {
  return signal === undefined ? source : guarded(source, signal);
}

async function* guarded<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  signal.throwIfAborted();
  const iterator = source[Symbol.asyncIterator]();
  let open = true;
  try {
    for (;;) {
      const next = await unlessAborted(iterator.next(), signal);
      if (next.done === true) {
        open = false;
        return;
      }
      yield next.value;
    }
  } catch (error) {
    if (!signal.aborted) open = false; // a source that threw has ended by itself
    throw error;
  } finally {
    const ending = open ? iterator.return?.() : undefined;
    if (signal.aborted) ending?.then(undefined, () => undefined);
    else await ending;
  }
}

/** Settles as `work` does, or rejects with the signal's reason when that comes first. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    // The reason is whatever the caller gave to abort().
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
    if (signal.aborted) onAbort();
  });
}
