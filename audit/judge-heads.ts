import type { HeadRow } from '../db/audit-chain';
import type { KeyRing } from '../storage/encryption/key-ring';
import { checkHead } from './head';
import type { AuditFault, AuditHeadPlace, RestoreInChain } from './report';

export interface HeadChecks {
  /** null: signatures are not checked, which the report notes. */
  readonly keyRing: KeyRing | null;
}

export interface ChainSeen<Restore> {
  readonly end: number;
  readonly hashes: ReadonlyMap<number, Buffer>;
  readonly restores: readonly Restore[];
}

export interface HeadsJudged<Restore> {
  readonly faults: readonly AuditFault[];
  /** Signed, of before a restore, and of entries that the restored database does not have. */
  readonly overtaken: readonly (AuditHeadPlace & { readonly restore: Restore })[];
  /** The highest one that fits. */
  readonly newest: AuditHeadPlace | null;
  readonly notes: readonly string[];
}

/** What heads say of the chain: a bad one of each kind is named, the first, with how many there are. */
export function judgeHeads<Restore extends Omit<RestoreInChain, 'headOfBefore'>>(
  heads: readonly HeadRow[],
  where: string,
  chain: ChainSeen<Restore>,
  { keyRing }: HeadChecks,
): HeadsJudged<Restore> {
  const forged: HeadRow[] = [];
  const misfits: HeadRow[] = [];
  const beyond: HeadRow[] = [];
  const overtaken: (AuditHeadPlace & { restore: Restore })[] = [];
  const notes: string[] = [];
  let newest: AuditHeadPlace | null = null;
  for (const head of [...heads].sort((a, b) => a.position - b.position)) {
    const { position, signedAt } = head;
    const signature = keyRing === null ? 'unknown-key' : checkHead(keyRing, head);
    if (signature === 'invalid') {
      forged.push(head);
      continue;
    }
    if (signature === 'unknown-key')
      notes.push(`a head of key ${head.keyId} is not checked: the ring does not have it`);
    if (chain.hashes.get(position)?.equals(head.hash) === true) {
      newest = { position, signedAt };
      continue;
    }
    const restore = chain.restores.find((one) => one.position <= position && one.at > signedAt);
    if (restore !== undefined) overtaken.push({ position, signedAt, restore });
    else (position > chain.end ? beyond : misfits).push(head);
  }
  const fault = (kind: AuditFault['kind'], bad: readonly HeadRow[], tell: (head: HeadRow) => string): AuditFault[] => {
    const [first] = bad;
    if (first === undefined) return [];
    const more = bad.length === 1 ? '' : `, and ${String(bad.length - 1)} more`;
    return [{ kind, position: first.position, entryId: null, detail: `${tell(first)}${more}` }];
  };
  const highest = beyond.at(-1);
  return {
    faults: [
      ...fault('head-forged', forged, (head) => `the head of ${head.signedAt} in ${where} has a wrong signature`),
      ...fault(
        'head-not-of-this-chain',
        misfits,
        ({ signedAt, position }) =>
          `the head of ${signedAt} in ${where} does not fit link ${String(position)}: entries before it were changed and chained anew`,
      ),
      ...fault('tail-missing', highest === undefined ? [] : [highest], ({ signedAt, position }) =>
        [
          `the chain ends at link ${String(chain.end)}; the head of ${signedAt} in ${where} says ${String(position)}:`,
          `${String(position - chain.end)} entries are missing at its end`,
        ].join(' '),
      ),
    ],
    ...{ overtaken, newest, notes },
  };
}
