import { DermsError } from './errors';

/** Revisions that a caller names; `any`: whatever is there. */
export type SeenRevisions = readonly number[] | 'any';

/** What a caller says of the state that a change is meant for; null: nothing. RFC 9110, section 13.1. */
export interface Preconditions {
  readonly ifMatch: SeenRevisions | null;
  readonly ifNoneMatch: SeenRevisions | null;
}

/**
 * Judges them by the revision that is there; null: the thing does not exist. What exists is not changed without any.
 *
 * @throws {DermsError} REVISION_MISSING, REVISION_CONFLICT.
 */
export function checkPreconditions(
  subject: string,
  actual: number | null,
  { ifMatch, ifNoneMatch }: Preconditions,
): void {
  if (actual === null) {
    if (ifMatch !== null) throw new DermsError('REVISION_CONFLICT', `There is no ${subject} yet.`);
    return;
  }
  if (ifMatch === null && ifNoneMatch === null) {
    throw new DermsError('REVISION_MISSING', `There is a ${subject}: name the revision that you saw in If-Match.`);
  }
  const isAt = `The ${subject} is at revision ${String(actual)}`;
  if (ifMatch !== null && !names(ifMatch, actual)) {
    const seen = ifMatch === 'any' || ifMatch.length === 0 ? 'none that If-Match names' : `not ${ifMatch.join(' or ')}`;
    throw new DermsError('REVISION_CONFLICT', `${isAt}, ${seen}: read it again and decide anew.`);
  }
  if (ifNoneMatch !== null && names(ifNoneMatch, actual)) {
    throw new DermsError('REVISION_CONFLICT', `${isAt}, which If-None-Match rules out.`);
  }
}

const names = (revisions: SeenRevisions, actual: number): boolean => revisions === 'any' || revisions.includes(actual);
