import {
  listHeads,
  listLinks,
  listUnsealed,
  type ChainEnd,
  type HeadRow,
  type LinkedEntry,
  type UnsealedEntry,
} from '../db/audit-chain';
import type { Queryable, Transactions } from '../db/pool';
import { entryHash } from './entry-hash';
import { judgeHeads, type HeadChecks } from './judge-heads';
import type { AuditFault, AuditReport, RestoreInChain } from './report';
import type { StoredHeads } from './stored-heads';

/** Links per question. */
const PAGE = 5_000;
const NAMED_FAULTS = 100;
/** A sealer needs two seconds; after this a row without a link is told, s. */
const UNSEALED_WITHIN_SECONDS = 60;
const NAMED_UNSEALED = 100_000;
const STATEMENT_MS = 120_000;

export interface VerifyOptions extends HeadChecks {
  /** Read before the database is, so that none is newer than what is looked at; null: there is no storage. */
  readonly stored: StoredHeads | null;
  readonly signal?: AbortSignal;
  readonly onProgress?: (entries: number) => void;
}

/**
 * Computes the whole chain anew from the rows and holds it against every head, those of storage too. Needs the database
 * and nothing that runs; sees one moment of it.
 */
export const verifyAudit = (db: Transactions, options: VerifyOptions): Promise<AuditReport> =>
  db.transaction(
    async (tx) => {
      const heads = await listHeads(tx);
      const stored = options.stored?.heads ?? [];
      const walk = await walkChain(tx, new Set([...heads, ...stored].map(({ position }) => position)), options);
      const unsealed = await listUnsealed(tx, NAMED_UNSEALED);
      return judge({ walk, heads, unsealed }, options);
    },
    {
      isolation: 'repeatable read',
      readOnly: true,
      statementTimeoutMs: STATEMENT_MS,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    },
  );

interface Walk {
  readonly end: ChainEnd;
  readonly entries: number;
  readonly badLinks: number;
  readonly faults: readonly AuditFault[];
  /** Hashes at the places that some head speaks of. */
  readonly hashes: ReadonlyMap<number, Buffer>;
  readonly restores: readonly Omit<RestoreInChain, 'headOfBefore'>[];
}

/** Each link against the one before as it is stored: one changed row is one bad link, not all that follow. */
async function walkChain(
  tx: Queryable,
  wanted: ReadonlySet<number>,
  { signal, onProgress }: VerifyOptions,
): Promise<Walk> {
  let end: ChainEnd = { position: 0, hash: Buffer.alloc(32) };
  let entries = 0;
  let badLinks = 0;
  const faults: AuditFault[] = [];
  const hashes = new Map<number, Buffer>();
  const restores: Omit<RestoreInChain, 'headOfBefore'>[] = [];
  for (;;) {
    signal?.throwIfAborted();
    const links = await listLinks(tx, end.position, PAGE);
    for (const link of links) {
      const fault = faultOf(end, link);
      if (fault !== null) badLinks += 1;
      if (fault !== null && faults.length < NAMED_FAULTS) faults.push(fault);
      if (wanted.has(link.position)) hashes.set(link.position, link.hash);
      if (link.entry?.action === RESTORE) {
        restores.push({ position: link.position, at: link.entry.at, backupId: link.entry.subject });
      }
      end = { position: link.position, hash: link.hash };
    }
    entries += links.length;
    onProgress?.(entries);
    if (links.length < PAGE) return { end, entries, badLinks, faults, hashes, restores };
  }
}

const RESTORE = 'database.restore';

function faultOf(before: ChainEnd, link: LinkedEntry): AuditFault | null {
  const { position, entryId, entry } = link;
  if (position !== before.position + 1) {
    const detail = `links ${String(before.position + 1)} to ${String(position - 1)} are missing`;
    return { kind: 'link-missing', position: before.position + 1, entryId: null, detail };
  }
  if (entry === null) {
    return { kind: 'entry-missing', position, entryId, detail: `entry ${entryId} was removed from audit_log` };
  }
  if (entryHash(before, entry).equals(link.hash)) return null;
  const detail = `entry ${entryId} (${entry.action} by ${entry.actor} at ${entry.at}), its link or the link before was changed`;
  return { kind: 'entry-changed', position, entryId, detail };
}

function judge(
  seen: { readonly walk: Walk; readonly heads: readonly HeadRow[]; readonly unsealed: readonly UnsealedEntry[] },
  options: VerifyOptions,
): AuditReport {
  const { walk, unsealed } = seen;
  const waiting = unsealed
    .filter(({ action }) => action === RESTORE)
    .map(({ at, subject }) => ({ position: walk.end.position + 1, at, backupId: subject }));
  const restores = [...walk.restores, ...waiting];
  const chain = { end: walk.end.position, hashes: walk.hashes, restores };
  const inDatabase = judgeHeads(seen.heads, 'the database', chain, options);
  const inStorage = judgeHeads(options.stored?.heads ?? [], 'storage', chain, options);
  const unreadable = (options.stored?.unreadable ?? []).map((key): AuditFault => ({
    kind: 'head-forged',
    position: null,
    entryId: null,
    detail: `${key} is no head`,
  }));
  const faults = [...walk.faults, ...inDatabase.faults, ...inStorage.faults, ...unreadable, ...lateOnes(unsealed)];
  const overtaken = [...inDatabase.overtaken, ...inStorage.overtaken];
  const [oldest] = unsealed;
  return {
    sound: faults.length === 0,
    summary: faults[0]?.detail ?? `${String(walk.entries)} entries, each as it was written`,
    ...{ entries: walk.entries, badLinks: walk.badLinks },
    end: walk.end.position === 0 ? null : { position: walk.end.position, hash: walk.end.hash.toString('hex') },
    ...{ signedUpTo: inDatabase.newest, storedUpTo: inStorage.newest },
    unsealed: {
      entries: unsealed.length,
      oldestId: oldest?.id ?? null,
      oldestAgeSeconds: Math.max(0, ...unsealed.map(({ ageSeconds }) => Math.round(ageSeconds))),
    },
    restores: restores.map((restore) => ({
      ...restore,
      headOfBefore:
        overtaken
          .filter((head) => head.restore === restore)
          .map(({ position, signedAt }) => ({ position, signedAt }))
          .sort((a, b) => b.position - a.position)[0] ?? null,
    })),
    faults,
    notes: [
      ...(options.stored === null ? ['no storage is set: a tail cut together with its heads would not be seen'] : []),
      ...new Set([...inDatabase.notes, ...inStorage.notes]),
    ],
  };
}

function lateOnes(unsealed: readonly UnsealedEntry[]): AuditFault[] {
  const late = unsealed.filter(({ ageSeconds }) => ageSeconds > UNSEALED_WITHIN_SECONDS);
  const [first] = late;
  if (first === undefined) return [];
  const detail =
    `${String(late.length)} entries from ${first.id} on are not sealed, the oldest since ${first.at}: ` +
    'no sealer runs, or they were put in past it';
  return [{ kind: 'entries-unsealed', position: null, entryId: first.id, detail }];
}
