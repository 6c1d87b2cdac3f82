import { contractedSince, isAtLeast } from '../../../db/contract-marks';
import { migrationFaults } from '../../../local/release/migration-safety';

const BEFORE = new Map([
  [
    '0001_initial.sql',
    `create table feeders (feeder_id text primary key, -- its name; not a statement
       note text default 'a;b');
     create table devices (device_id text);
     create view devices_here as select * from devices;`,
  ],
]);
const faults = (sql: string, name = '0002_new.sql'): string[] =>
  migrationFaults(BEFORE, new Map([...BEFORE, [name, sql]]), '0.2.0');

describe('a migration that only adds is let through', () => {
  it.each([
    'create table cycles (cycle bigint not null unique); create index on cycles (cycle); create unique index one on cycles (cycle)',
    'alter table feeders add column priority integer',
    'alter table feeders add column priority integer not null default 0, add column since timestamptz',
    'alter table feeders alter column note set default $$drop table feeders;$$',
    "insert into feeders values ('drop table feeders; rename')",
    '-- drop table feeders;\ncreate index by_note on feeders (note)',
    'alter table feeders drop constraint feeders_note_check',
    'create table new_one (a text); alter table new_one rename to newer; drop table new_one',
    'create function f() returns trigger language plpgsql as $$ begin delete from feeders; return new; end $$',
  ])('%s', (sql) => {
    expect(faults(sql)).toEqual([]);
  });
});

describe('what takes something from the previous release is a fault', () => {
  it.each([
    ['drop table feeders', 'drops feeders'],
    ['drop view if exists public.devices_here', 'drops devices_here'],
    ['alter table feeders drop column note', 'drops column feeders.note'],
    ['alter table feeders drop note', 'drops column feeders.note'],
    ['alter table feeders add column x int,\n  drop column if exists note cascade', 'drops column feeders.note'],
    ['alter table feeders rename column note to remark', 'renames feeders'],
    ['ALTER TABLE "feeders" RENAME TO lines', 'renames feeders'],
    ['alter table only feeders alter column note type varchar(10)', 'changes the type of feeders.note'],
    ['alter table feeders alter note set data type varchar(10)', 'changes the type of feeders.note'],
    ['alter table feeders alter column note set not null', 'asks for a value of feeders.note'],
    ['alter table feeders alter column note drop default', 'leaves no default to feeders.note'],
    [
      'alter table feeders add column priority integer not null',
      'adds column priority to feeders, not null and without',
    ],
    [
      'alter table feeders add priority numeric(4, 2) not null',
      'adds column priority to feeders, not null and without',
    ],
    [
      "alter table feeders add constraint short check (note <> '')",
      'adds a rule that older programs do not know to feeders',
    ],
    ['create unique index one_note on feeders (note)', 'refuses rows that were good before in feeders'],
    ['create or replace view devices_here as select 1', 'changes devices_here'],
    ['create trigger t before insert on feeders for each row execute function f()', 'puts a trigger on feeders'],
    ['truncate feeders', 'empties feeders'],
    ["delete from feeders where note = 'old'", 'removes rows of feeders'],
    ['drop type mood', 'drops: drop type mood'],
  ])('%s', (sql, what) => {
    expect(faults(sql)).toEqual([expect.stringContaining(`0002_new.sql:1: ${what}`)]);
  });

  it('and named by its line', () => {
    expect(faults('-- why\n\ncreate table a (b text);\n\ndrop table feeders;')[0]).toMatch(/^0002_new\.sql:5: /);
  });
});

describe('a contract', () => {
  const drop = 'alter table feeders drop column note;';
  it.each`
    since      | is
    ${'0.1.0'} | ${'let through: the release before has stopped long ago'}
    ${'0.2.0'} | ${'let through: the release before has just stopped'}
  `('since $since is $is', ({ since }: { since: string }) => {
    expect(faults(`-- contract since ${since}: nothing reads it\n${drop}`)).toEqual([]);
  });

  it('of something that only this release has stopped using waits', () => {
    expect(faults(`-- contract since 0.3.0: nothing reads it\n${drop}`)).toEqual([
      expect.stringContaining('0.3.0 is not released'),
    ]);
  });

  it('stands for one statement, and needs a reason', () => {
    expect(faults(`-- contract since 0.2.0: nothing reads it\n${drop} drop table devices`)).toHaveLength(1);
    expect(faults(`-- contract since 0.2.0:\n${drop}`)).toHaveLength(1);
  });

  it('is what a program is told that is older than it', () => {
    expect(
      contractedSince('-- contract since 0.9.0: a\ndrop table a;\n-- contract since 0.10.0: b\ndrop table b'),
    ).toBe('0.10.0');
    expect(contractedSince(drop)).toBeNull();
    expect([isAtLeast('0.10.0', '0.9.9'), isAtLeast('0.9.9', '0.10.0'), isAtLeast('1.0.0-rc.1', '1.0.0')]).toEqual([
      true,
      false,
      true,
    ]);
  });
});

it('a rule that is made wider says so; that word stands for nothing else', () => {
  expect(faults("-- widens: one more outcome\nalter table feeders add check (note in ('a', 'b'))")).toEqual([]);
  expect(faults('-- widens: no\nalter table feeders drop column note')).toHaveLength(1);
});

describe('what the previous release has applied', () => {
  it.each`
    change            | now                                                      | fault
    ${'is edited'}    | ${new Map([['0001_initial.sql', 'select 1']])}           | ${'0001_initial.sql: the previous release has it, and it was edited'}
    ${'goes'}         | ${new Map()}                                             | ${'0001_initial.sql: the previous release has it, and it is gone'}
    ${'gets company'} | ${new Map([...BEFORE, ['0000_before.sql', 'select 1']])} | ${'0000_before.sql: sorts before 0001_initial.sql, which the previous release has applied'}
  `('is a fault when it $change', ({ now, fault }: { now: Map<string, string>; fault: string }) => {
    expect(migrationFaults(BEFORE, now, '0.2.0')).toEqual([fault]);
  });
});
