import fc from 'fast-check';
import { removableWal, walCoverage } from '../../../../domain/retention/wal';
import { formatLsn, placeOf, timelinePath } from '../../../../domain/wal-names';

const MIB_16 = 16 * 1024 ** 2;
const name = (segment: number, timeline = 1): string =>
  timeline.toString(16).toUpperCase().padStart(8, '0') + placeOf(BigInt(segment) * BigInt(MIB_16), MIB_16);
/** A base backup whose recovery begins somewhere in a segment. */
const begins = (segment: number, offset = 0x28) => ({
  startLsn: formatLsn(BigInt(segment) * BigInt(MIB_16) + BigInt(offset)),
  segmentBytes: MIB_16,
});
const ONE = [{ timeline: 1, fromLsn: 0n }];
/** Timelines 2 and 3 begin within segments 200 and 400. */
const THREE = timelinePath(3, `1\t${begins(200).startLsn}\tx\n2\t${begins(400).startLsn}\ty\n`);

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
        for (const base of kept) expect(walCoverage(left, base, THREE)).toEqual(walCoverage(names, base, THREE));
      }),
      { numRuns: 300 },
    );
  });
});

describe('what an archive holds from a position on', () => {
  it('reaches the begin of its last segment', () => {
    expect(walCoverage([name(5), name(6), name(7)], begins(5), ONE)).toEqual({
      reachesLsn: 7n * BigInt(MIB_16),
      gaps: [],
    });
  });

  it('names the segments that are missing in between, and reaches no further than the first of them', () => {
    expect(walCoverage([name(254), name(257)], begins(254), ONE)).toEqual({
      reachesLsn: 254n * BigInt(MIB_16),
      gaps: [name(255), name(256)],
    });
  });

  it('is nothing when the first segment is not there', () => {
    expect(walCoverage([name(4)], begins(5), ONE)).toEqual({ reachesLsn: null, gaps: [] });
    expect(walCoverage([name(6)], begins(5), ONE)).toEqual({ reachesLsn: null, gaps: [name(5)] });
  });

  it('goes on where another timeline does, whose own segment counts from the one on that it begins in', () => {
    const promoted = timelinePath(2, `1\t${formatLsn(6n * BigInt(MIB_16) + 0x99n)}\tno recovery target specified\n`);
    expect(walCoverage([name(5), name(6, 2), name(7, 2)], begins(5), promoted)).toEqual({
      reachesLsn: 7n * BigInt(MIB_16),
      gaps: [],
    });
    expect(walCoverage([name(5), name(6), name(7), name(7, 2)], begins(5), promoted).gaps).toEqual([name(6, 2)]);
  });

  it('does not reach into a timeline that was left', () => {
    const promoted = timelinePath(2, `1\t${formatLsn(6n * BigInt(MIB_16))}\tbefore 2026-11-25 10:00:00+00\n`);
    expect(walCoverage([name(5), name(6), name(7)], begins(5), promoted)).toEqual({
      reachesLsn: 5n * BigInt(MIB_16),
      gaps: [],
    });
  });
});

it('a timeline is followed back through all that it came from', () => {
  expect(timelinePath(4, '1\t0/5000000\tx\n2\t0/7000098\ty\n')).toEqual([
    { timeline: 1, fromLsn: 0n },
    { timeline: 2, fromLsn: 0x5000000n },
    { timeline: 4, fromLsn: 0x7000098n },
  ]);
});
