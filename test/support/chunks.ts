import { createCipheriv, createHash } from 'node:crypto';

/** Bytes as a source that gives them in chunks of these sizes, again and again. */
export async function* inChunks(bytes: Buffer, ...sizes: readonly number[]): AsyncGenerator<Buffer> {
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? bytes.length;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

export async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The same bytes in every run, without a pattern in them, so that nothing can be moved or repeated unnoticed. */
export const pattern = (bytes: number): Buffer =>
  createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(Buffer.alloc(bytes));

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
