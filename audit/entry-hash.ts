import { createHash } from 'node:crypto';
import type { ChainedColumns, ChainEnd, ChainLink } from '../db/audit-chain';

/**
 * The hash of a link. What is hashed is one JSON array of strings, so that no two rows can look the same however their
 * columns are cut: a name, position, hash before (hex), then every column of the row as Postgres writes it as text.
 */
export function entryHash(before: ChainEnd, entry: ChainedColumns): Buffer {
  const { id, at, writtenIn, actor, role, action, subject, outcome, requestId, address, detail } = entry;
  const told = [
    ...['derms audit entry v1', String(before.position + 1), before.hash.toString('hex')],
    ...[id, at, writtenIn, actor, role, action, subject, outcome, requestId, address, detail],
  ];
  return createHash('sha256').update(JSON.stringify(told)).digest();
}

/** Chains rows to an end, in their order. */
export function linkEntries(end: ChainEnd, entries: readonly ChainedColumns[]): ChainLink[] {
  const links: ChainLink[] = [];
  let last = end;
  for (const entry of entries) {
    const link = { position: last.position + 1, entryId: entry.id, hash: entryHash(last, entry) };
    links.push(link);
    last = link;
  }
  return links;
}
