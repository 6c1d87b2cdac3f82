import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { deflate, inflate } from 'node:zlib';
import type { TreeSnapshot } from '../domain/fleet';

/**
 * A plan's complete input as one compressed, column-wise value: like values stand together and compress well.
 * Numbers survive JSON to the bit, so a stored cycle can be planned again and must give the same setpoints.
 */
export const SNAPSHOT_FORMAT = 2;

/** Fast rather than small: level 1 of deflate. */
const LEVEL = 1;

export async function encodeSnapshot(snapshot: TreeSnapshot): Promise<{ inputs: Buffer; digest: Buffer }> {
  const { devices, feeders, ...rest } = snapshot;
  const text = JSON.stringify({
    format: SNAPSHOT_FORMAT,
    ...rest,
    feeders: columns(feeders),
    devices: columns(devices),
  });
  const digest = createHash('sha256').update(text).digest();
  return { inputs: await promisify<string, { level: number }, Buffer>(deflate)(text, { level: LEVEL }), digest };
}

/** @throws {Error} when the value was made by a format that this program does not know, or does not match its digest. */
export async function decodeSnapshot(inputs: Buffer, digest: Buffer): Promise<TreeSnapshot> {
  const text = await promisify<Buffer, Buffer>(inflate)(inputs);
  if (!createHash('sha256').update(text).digest().equals(digest))
    throw new Error('the stored input does not match its digest');
  const { format, devices, feeders, ...rest } = JSON.parse(text.toString('utf8')) as {
    format: number;
    devices: Columns;
    feeders: Columns;
  };
  if (format !== SNAPSHOT_FORMAT)
    throw new Error(`the stored input has format ${String(format)}, known is ${String(SNAPSHOT_FORMAT)}`);
  return { ...rest, feeders: rows(feeders), devices: rows(devices) } as unknown as TreeSnapshot; // written by encodeSnapshot, proven by the digest
}

type Columns = Record<string, unknown[]>;

function columns(list: readonly object[]): Columns {
  const names = Object.keys(list[0] ?? {});
  return Object.fromEntries(names.map((name) => [name, list.map((item) => (item as Record<string, unknown>)[name])]));
}

function rows(table: Columns): Record<string, unknown>[] {
  const names = Object.keys(table);
  const length = names[0] === undefined ? 0 : (table[names[0]]?.length ?? 0);
  return Array.from({ length }, (_, index) => Object.fromEntries(names.map((name) => [name, table[name]?.[index]])));
}
