import { createHash } from 'node:crypto';

export interface Measured {
  readonly bytes: number;
  readonly sha256: string;
}

/** Counts and hashes what passes, without holding any of it. */
export class Measure {
  readonly #hash = createHash('sha256');
  #bytes = 0;

  /** Passes `source` on. */
  async *of(source: AsyncIterable<Uint8Array>, onBytes?: (bytes: number) => void): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      this.#hash.update(chunk);
      this.#bytes += chunk.byteLength;
      onBytes?.(this.#bytes);
      yield chunk;
    }
  }

  /** Once, when everything has passed. */
  end(): Measured {
    return { bytes: this.#bytes, sha256: this.#hash.digest('hex') };
  }
}
