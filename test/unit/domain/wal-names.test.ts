import { formatLsn, parseLsn, parseWalName, placeOf, startOf } from '../../../domain/wal-names';

const MIB_16 = 16 * 1024 ** 2;

describe('a name of the write-ahead log', () => {
  it.each`
    name                                          | kind              | timeline | place
    ${'0000000100000000000000A3'}                 | ${'segment'}      | ${1}     | ${'00000000000000A3'}
    ${'0000000A00000002000000FF.partial'}         | ${'partial'}      | ${10}    | ${'00000002000000FF'}
    ${'0000000100000000000000A3.00000028.backup'} | ${'backup-label'} | ${1}     | ${'00000000000000A3'}
    ${'00000002.history'}                         | ${'history'}      | ${2}     | ${undefined}
  `('$name is a $kind', ({ name, kind, timeline, place }: Record<string, string | number>) => {
    expect(parseWalName(String(name))).toEqual(place === undefined ? { kind, timeline } : { kind, timeline, place });
  });

  it.each(['', 'x', '0000000100000000000000a3', '0000000100000000000000A3.tmp', '../0000000100000000000000A3'])(
    '%j is none',
    (name) => {
      expect(parseWalName(name)).toBeNull();
    },
  );
});

it('a position is read and written as PostgreSQL does', () => {
  expect(parseLsn('2/A000028')).toBe(0x2_0a00_0028n);
  expect(formatLsn(0x2_0a00_0028n)).toBe('2/A000028');
  expect(() => parseLsn('2-3')).toThrow('2-3 is no position in the log');
});

it('a position lies in the segment of its place, whatever the size of segments', () => {
  expect(placeOf(parseLsn('2/A000028'), MIB_16)).toBe('000000020000000A');
  expect(startOf('000000020000000A', MIB_16)).toBe(parseLsn('2/A000000'));
  expect(placeOf(parseLsn('2/A000028'), 64 * 1024 ** 2)).toBe('0000000200000002');
  expect(startOf('0000000200000002', 64 * 1024 ** 2)).toBe(parseLsn('2/8000000'));
});
