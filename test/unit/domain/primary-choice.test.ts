import { choosePrimary, NOTHING_KNOWN, type NodeSeen, type PrimaryKnown } from '../../../domain/primary-choice';

const node = (name: string, state: NodeSeen['state'], timeline: number): NodeSeen => ({ name, state, timeline });
const known = (timeline: number, name: string | null): PrimaryKnown => ({ timeline, node: name });

describe('the node that may be written to', () => {
  it.each`
    when                                                    | before            | a                              | b                              | primary
    ${'a pair is in order'}                                 | ${NOTHING_KNOWN}  | ${node('a', 'primary', 1)}     | ${node('b', 'standby', 1)}     | ${'a'}
    ${'the standby was promoted and the old one is away'}   | ${known(1, 'a')}  | ${node('a', 'unreachable', 1)} | ${node('b', 'primary', 2)}     | ${'b'}
    ${'the old primary wakes up and believes it is one'}    | ${known(2, 'b')}  | ${node('a', 'primary', 1)}     | ${node('b', 'primary', 2)}     | ${'b'}
    ${'it wakes up while the new one cannot be reached'}    | ${known(2, 'b')}  | ${node('a', 'primary', 1)}     | ${node('b', 'unreachable', 2)} | ${null}
    ${'it wakes up and a standby already follows the new'}  | ${known(1, 'a')}  | ${node('a', 'primary', 1)}     | ${node('c', 'standby', 2)}     | ${null}
    ${'both were promoted side by side'}                    | ${known(1, null)} | ${node('a', 'primary', 2)}     | ${node('b', 'primary', 2)}     | ${null}
    ${'a second one claims the timeline of the one known'}  | ${known(2, 'b')}  | ${node('a', 'primary', 2)}     | ${node('b', 'primary', 2)}     | ${'b'}
    ${'another claims it while the one known is away'}      | ${known(2, 'b')}  | ${node('a', 'primary', 2)}     | ${node('b', 'unreachable', 2)} | ${null}
    ${'the primary is fenced and nobody is promoted yet'}   | ${known(1, 'a')}  | ${node('a', 'fenced', 1)}      | ${node('b', 'standby', 1)}     | ${null}
    ${'the new one was made a standby and the first leads'} | ${known(2, 'b')}  | ${node('a', 'primary', 3)}     | ${node('b', 'standby', 3)}     | ${'a'}
  `('is $primary when $when', ({ before, a, b, primary }) => {
    expect(choosePrimary([a, b], before).primary).toBe(primary);
  });

  it('is remembered with its timeline, also while it is away', () => {
    const first = choosePrimary([node('a', 'primary', 1), node('b', 'standby', 1)], NOTHING_KNOWN).known;
    expect(first).toEqual({ timeline: 1, node: 'a' });
    const away = choosePrimary([node('a', 'unreachable', 1), node('b', 'standby', 1)], first).known;
    expect(away).toEqual({ timeline: 1, node: 'a' });
    const promoted = choosePrimary([node('a', 'unreachable', 1), node('b', 'primary', 2)], away).known;
    expect(promoted).toEqual({ timeline: 2, node: 'b' });
  });
});
