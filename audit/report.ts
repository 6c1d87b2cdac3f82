/** Something that should not be. `position` is a place in the chain. */
export interface AuditFault {
  readonly kind:
    | 'entry-changed'
    | 'entry-missing'
    | 'link-missing'
    | 'head-forged'
    | 'head-not-of-this-chain'
    | 'tail-missing'
    | 'entries-unsealed';
  readonly position: number | null;
  /** Id in `audit_log`, where it is one entry that is bad. */
  readonly entryId: string | null;
  readonly detail: string;
}

export interface AuditHeadPlace {
  readonly position: number;
  readonly signedAt: string;
}

/** A restore that the log tells of, and what of the chain from before it is not here. */
export interface RestoreInChain {
  /** Of its own entry; entries before it came with the backup. */
  readonly position: number;
  readonly at: string;
  readonly backupId: string;
  /** The highest head that was signed before and does not fit any more; null: nothing is known to be missing. */
  readonly headOfBefore: AuditHeadPlace | null;
}

export interface AuditReport {
  /** Nothing is wrong. */
  readonly sound: boolean;
  /** The first bad place, or a sentence on the whole. */
  readonly summary: string;
  readonly entries: number;
  /** How many of the links are bad; `faults` names the first hundred. */
  readonly badLinks: number;
  /** null: the chain is empty. */
  readonly end: { readonly position: number; readonly hash: string } | null;
  /** The newest head in the database, and in storage, that is signed and fits; null: none. */
  readonly signedUpTo: AuditHeadPlace | null;
  readonly storedUpTo: AuditHeadPlace | null;
  /** Rows that no link is of yet. */
  readonly unsealed: { readonly entries: number; readonly oldestId: string | null; readonly oldestAgeSeconds: number };
  readonly restores: readonly RestoreInChain[];
  readonly faults: readonly AuditFault[];
  /** What could not be looked at: no storage, a key that the ring has not. */
  readonly notes: readonly string[];
}
