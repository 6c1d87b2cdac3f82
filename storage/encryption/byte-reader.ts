/** Reads a source of chunks by exact counts of bytes. */
export interface ByteReader {
  /** Exactly `bytes` in one piece; null when the source ends before. */
  read(bytes: number): Promise<Buffer | null>;
  /** Exactly `bytes` in the pieces in which they came, none copied; null when the source ends before. */
  readPieces(bytes: number): Promise<readonly Buffer[] | null>;
  /** Whether the source has ended; a read of what is there is not lost by asking. */
  isAtEnd(): Promise<boolean>;
  /** Lets the source clean up after itself. */
  close(): Promise<void>;
}

/** One reader per source. The source must not use a chunk's memory again. */
export function readerOf(source: AsyncIterable<Uint8Array>): ByteReader {
  const iterator = source[Symbol.asyncIterator]();
  let current: Buffer = Buffer.alloc(0);

  const fill = async (): Promise<boolean> => {
    while (current.length === 0) {
      const next = await iterator.next();
      if (next.done === true) return false;
      current = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength);
    }
    return true;
  };

  const readPieces = async (bytes: number): Promise<readonly Buffer[] | null> => {
    const pieces: Buffer[] = [];
    for (let missing = bytes; missing > 0;) {
      if (current.length === 0 && !(await fill())) return null;
      const piece = current.subarray(0, missing);
      pieces.push(piece);
      missing -= piece.length;
      current = current.subarray(piece.length);
    }
    return pieces;
  };

  return {
    readPieces,
    async read(bytes) {
      const pieces = await readPieces(bytes);
      return pieces && Buffer.concat(pieces);
    },
    isAtEnd: async () => !(await fill()),
    async close() {
      await iterator.return?.();
    },
  };
}
