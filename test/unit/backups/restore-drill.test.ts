import { compareContent } from '../../../backups/restore/compare';
import { isDrillDay } from '../../../backups/restore/drill-days';
import { accessOf } from '../../../config/postgres-url';

describe('the days on which a large database is drilled', () => {
  it.each`
    day             | deployment      | drilled
    ${'2026-07-01'} | ${'production'} | ${true}
    ${'2026-08-01'} | ${'production'} | ${false}
    ${'2026-07-05'} | ${'production'} | ${false}
    ${'2026-07-05'} | ${'staging'}    | ${true}
    ${'2026-07-06'} | ${'staging'}    | ${false}
  `('$day in $deployment: $drilled', ({ day, deployment, drilled }) => {
    expect(isDrillDay(new Date(`${String(day)}T03:40:00Z`), deployment)).toBe(drilled);
  });
});

describe('a restored database', () => {
  const table = (name: string, rows: number, contentHash = '7') => ({ name, rows, contentHash });

  it('has the tables, rows and content of the manifest', () => {
    const tables = [table('public.feeders', 2), table('public.devices', 40)];
    expect(compareContent(tables, tables.toReversed())).toEqual({ tables: 2, rows: 42 });
  });

  it('is refused with every table that differs', () => {
    expect(() =>
      compareContent(
        [table('public.a', 1), table('public.b', 2), table('public.c', 3)],
        [table('public.b', 1), table('public.c', 3, '8'), table('public.d', 0)],
      ),
    ).toThrow(
      'public.a: is missing; public.b: 1 rows instead of 2; public.c: other content in as many rows; public.d: is not in the manifest',
    );
  });
});

describe('the address of a target', () => {
  it('is read whole', () => {
    expect(accessOf('postgres://derms_admin:p%40ss@db.example:6432/derms')).toEqual({
      ...{ host: 'db.example', port: 6432, database: 'derms', user: 'derms_admin', password: 'p@ss', tls: null },
    });
  });

  it.each(['derms', 'mysql://a:b@c/d', 'postgres://db.example/derms', 'postgres://a:b@db.example'])(
    'is refused when something is missing: %s',
    (text) => {
      expect(() => accessOf(text)).toThrow('postgres://user:password@host:port/database');
    },
  );
});
