const SMALL_BYTES = 16 * 1024;
const MERGED_BYTES = 64 * 1024;

/** Collects chunks as they are, but small ones copied together, so that a cipher is called for enough bytes each time. */
export interface Pieces {
  add(chunk: Uint8Array): void;
  /** What was added since the last call. */
  take(): readonly Uint8Array[];
}

export function createPieces(): Pieces {
  let pieces: Uint8Array[] = [];
  let merged = Buffer.alloc(0);
  let from = 0;
  let to = 0;

  const endMerged = (): void => {
    if (to > from) pieces.push(merged.subarray(from, to));
    from = to;
  };

  return {
    add(chunk) {
      if (chunk.byteLength >= SMALL_BYTES) {
        endMerged();
        pieces.push(chunk);
        return;
      }
      if (to + chunk.byteLength > merged.length) {
        endMerged();
        merged = Buffer.allocUnsafeSlow(MERGED_BYTES);
        from = to = 0;
      }
      merged.set(chunk, to);
      to += chunk.byteLength;
    },
    take() {
      endMerged();
      const taken = pieces;
      pieces = [];
      return taken;
    },
  };
}
