import fc from 'fast-check';
import { removableWal, walCoverage } from '../../../../domain/retention/wal';
import { formatLsn, placeOf } from '../../../../domain/wal-names';

const MIB_16 = 16 * 1024 ** 2;
const name = (segment: number, timeline = 1): string =>
  timeline.toString(16).toUpperCase().padStart(8, '0') + placeOf(BigInt(segment) * BigInt(MIB_16), MIB_16);
/** A base backup whose recovery begins somewhere in a segment. */
const begins = (segment: number, offset = 0x28) => ({
  startLsn: formatLsn(BigInt(segment) * BigInt(MIB_16) + BigInt(offset)),
  segmentBytes: MIB_16,
});

describe('files of the log that no kept base backup needs', () => {
  it('are those before the segment that the oldest of them begins in, of every timeline', () => {
    const names = [
      name(254),
      name(255),
      name(256),
      name(255, 2),
      `${name(255)}.00000028.backup`,
      `${name(256, 2)}.partial`,
    ];
    expect(removableWal(names, [begins(300), begins(256)])).toEqual([
      name(254),
      name(255),
      name(255, 2),
      `${name(255)}.00000028.backup`,
    ]);
  });

  it('are none while there is no base backup, or where we do not know the file', () => {
    expect(removableWal([name(1)], [])).toEqual([]);
    expect(removableWal(['00000002.history', 'notes.txt'], [begins(99)])).toEqual([]);
  });

  it('are never such that one of them could not be recovered to the end of the log', () => {
    const aHistory = fc.record({
      segments: fc.uniqueArray(fc.tuple(fc.integer({ min: 0, max: 700 }), fc.integer({ min: 1, max: 3 })), {
        selector: ([segment, timeline]) => `${String(segment)}/${String(timeline)}`,
        maxLength: 60,
      }),
      bases: fc.array(
        fc.record({ segment: fc.integer({ min: 0, max: 700 }), offset: fc.integer({ min: 0, max: MIB_16 - 1 }) }),
        {
          minLength: 1,
          maxLength: 6,
        },
      ),
    });
    fc.assert(
      fc.property(aHistory, ({ segments, bases }) => {
        const names = segments.map(([segment, timeline]) => name(segment, timeline));
        const kept = bases.map(({ segment, offset }) => begins(segment, offset));
        const removed = new Set(removableWal(names, kept));
        const oldest = Math.min(...bases.map(({ segment }) => segment));
        for (const [segment, timeline] of segments) expect(removed.has(name(segment, timeline))).toBe(segment < oldest);
        const left = names.filter((each) => !removed.has(each));
        for (const base of kept) expect(walCoverage(left, base)).toEqual(walCoverage(names, base));
      }),
      { numRuns: 300 },
    );
  });
});

describe('what an archive holds from a position on', () => {
  it('reaches the begin of its last segment', () => {
    expect(walCoverage([name(5), name(6), name(7)], begins(5))).toEqual({ reachesLsn: 7n * BigInt(MIB_16), gaps: [] });
  });

  it('names the segments that are missing in between, and reaches no further than the first of them', () => {
    expect(walCoverage([name(254), name(257)], begins(254))).toEqual({
      reachesLsn: 254n * BigInt(MIB_16),
      gaps: [name(255).slice(8), name(256).slice(8)],
    });
  });

  it('is nothing when the first segment is not there', () => {
    expect(walCoverage([name(4)], begins(5))).toEqual({ reachesLsn: null, gaps: [] });
    expect(walCoverage([name(6)], begins(5))).toEqual({ reachesLsn: null, gaps: [name(5).slice(8)] });
  });

  it('goes on where another timeline does', () => {
    expect(walCoverage([name(5), name(6, 2), '00000002.history'], begins(5)).gaps).toEqual([]);
  });
});
