import { checkPreconditions, type SeenRevisions } from '../../../domain/preconditions';

interface Case {
  readonly revision: number | null;
  readonly ifMatch: SeenRevisions | null;
  readonly ifNoneMatch: SeenRevisions | null;
  readonly expected: string;
}

/** `done`, or the code of the refusal. */
function outcome(actual: number | null, ifMatch: SeenRevisions | null, ifNoneMatch: SeenRevisions | null): string {
  try {
    checkPreconditions('feeder a', actual, { ifMatch, ifNoneMatch });
    return 'done';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

describe('a change', () => {
  it.each`
    revision | ifMatch   | ifNoneMatch | expected
    ${2}     | ${[2]}    | ${null}     | ${'done'}
    ${2}     | ${[1, 2]} | ${null}     | ${'done'}
    ${2}     | ${'any'}  | ${null}     | ${'done'}
    ${2}     | ${[1]}    | ${null}     | ${'REVISION_CONFLICT'}
    ${2}     | ${[]}     | ${null}     | ${'REVISION_CONFLICT'}
    ${2}     | ${null}   | ${null}     | ${'REVISION_MISSING'}
    ${2}     | ${null}   | ${'any'}    | ${'REVISION_CONFLICT'}
    ${2}     | ${null}   | ${[2]}      | ${'REVISION_CONFLICT'}
    ${2}     | ${null}   | ${[1]}      | ${'done'}
    ${2}     | ${[2]}    | ${[2]}      | ${'REVISION_CONFLICT'}
    ${null}  | ${null}   | ${null}     | ${'done'}
    ${null}  | ${null}   | ${'any'}    | ${'done'}
    ${null}  | ${'any'}  | ${null}     | ${'REVISION_CONFLICT'}
    ${null}  | ${[1]}    | ${null}     | ${'REVISION_CONFLICT'}
  `(
    'of what is at $revision (null: not there), If-Match $ifMatch and If-None-Match $ifNoneMatch: $expected',
    ({ revision, ifMatch, ifNoneMatch, expected }: Case) => {
      expect(outcome(revision, ifMatch, ifNoneMatch)).toBe(expected);
    },
  );
});
