/** One part of an upload. */
export interface Part {
  /** From 1. */
  readonly number: number;
  readonly bytes: Buffer;
  readonly last: boolean;
}

/** Memory for parts that is used again and again: as many buffers as are under way at once, however long the upload. */
export interface PartMemory {
  take(): Buffer;
  giveBack(bytes: Buffer): void;
}

export function partMemory(partBytes: number): PartMemory {
  const free: Buffer[] = [];
  return {
    take: () => free.pop() ?? Buffer.allocUnsafeSlow(partBytes),
    giveBack(bytes) {
      // A part may be a shorter view of its buffer.
      if (bytes.length === partBytes) free.push(bytes);
    },
  };
}

/** The source in parts of equal length but for the last one, which is empty only when the source is. */
export async function* inParts(source: AsyncIterable<Uint8Array>, memory: PartMemory): AsyncGenerator<Part> {
  let number = 1;
  let buffer = memory.take();
  let used = 0;
  for await (const chunk of source) {
    for (let rest = chunk; rest.byteLength > 0;) {
      if (used === buffer.length) {
        // Only now is it known that this part is not the last one.
        yield { number, bytes: buffer, last: false };
        number += 1;
        buffer = memory.take();
        used = 0;
      }
      const piece = rest.subarray(0, buffer.length - used);
      buffer.set(piece, used);
      used += piece.byteLength;
      rest = rest.subarray(piece.byteLength);
    }
  }
  yield { number, bytes: buffer.subarray(0, used), last: true };
}
