import { isAtLeast } from '../../db/contract-marks';
import { sqlStatements, type SqlStatement } from './sql-statements';

/** Texts of migrations by file name. */
export type Migrations = ReadonlyMap<string, string>;

/**
 * Whether the previous release works on the schema of this one, as it must while both run, and after this one is rolled
 * back: new migrations only add (expand). What takes something away (contract) is marked with the release that stopped
 * using it, which must be the previous one or older.
 *
 * @returns what is wrong, a sentence each.
 */
export function migrationFaults(before: Migrations, now: Migrations, previousVersion: string): string[] {
  const newest = [...before.keys()].sort().at(-1) ?? '';
  const fresh = [...now].filter(([name]) => !before.has(name)).sort(([a], [b]) => (a < b ? -1 : 1));
  const known = tablesOf(before);
  return [
    ...[...before].flatMap(([name, sql]) => {
      if (now.get(name) === sql) return [];
      return [`${name}: the previous release has it, and it ${now.has(name) ? 'was edited' : 'is gone'}`];
    }),
    ...fresh.flatMap(([name, sql]) => [
      ...(name < newest ? [`${name}: sorts before ${newest}, which the previous release has applied`] : []),
      ...sqlStatements(sql).flatMap((statement) => faultsOf(statement, known, previousVersion, name)),
    ]),
  ];
}

function faultsOf(statement: SqlStatement, known: ReadonlySet<string>, previous: string, file: string): string[] {
  const takes = takesAway(statement.text, known).filter((what) => !(statement.widens && RULE.test(what)));
  if (takes.length === 0) return [];
  const at = `${file}:${String(statement.line)}`;
  const { contractSince } = statement;
  if (contractSince === null)
    return takes.map(
      (what) => `${at}: ${what}: first a release that does without it, then \`-- contract since VERSION: why\``,
    );
  if (isAtLeast(previous, contractSince)) return [];
  return takes.map((what) => `${at}: ${what}: ${contractSince} is not released; it stays until the release after`);
}

/** What `-- widens: why` may stand for: a rule made anew. */
const RULE = /^(?:refuses|puts a trigger|changes (?!the type)|adds a rule)/;

const NAME = String.raw`(?:public\.)?"?(\w+)"?`;
const tables = (pattern: string): RegExp => new RegExp(pattern.replaceAll('NAME', NAME), 'g');

/** Tables and views of these migrations. */
function tablesOf(migrations: Migrations): Set<string> {
  const made = tables('^create (?:or replace )?(?:unlogged )?(?:table|view|materialized view) (?:if not exists )?NAME');
  return new Set(
    [...migrations.values()]
      .flatMap((sql) => sqlStatements(sql))
      .flatMap(({ text }) => [...text.matchAll(made)].map(([, name = '']) => name)),
  );
}

/** Whole statements that may break who knows the table they name. */
const STATEMENTS: readonly (readonly [RegExp, string])[] = [
  [tables('^drop (?:table|view|materialized view) (?:if exists )?NAME'), 'drops'],
  [tables('^truncate (?:table )?(?:only )?NAME'), 'empties'],
  [tables('^delete from (?:only )?NAME'), 'removes rows of'],
  [tables('^create unique index .*? on (?:only )?NAME'), 'refuses rows that were good before in'],
  [tables('^create (?:or replace )?(?:constraint )?trigger .*? on NAME'), 'puts a trigger on'],
  [tables('^create or replace view NAME'), 'changes'],
  [tables('^revoke .*? on (?:table )?NAME'), 'takes rights on'],
];
/** Of no table: what is renamed or dropped may be used anywhere. */
const ANYWHERE: readonly (readonly [RegExp, string])[] = [
  [/^drop (?:function|procedure|type|domain|sequence|schema|extension) .*/, 'drops'],
  [/^alter (?:type|domain|function|sequence|index|view|schema) .*? rename .*/, 'renames'],
  [/^alter domain .*? (?:add|set not null).*/, 'refuses values that were good before'],
];
/** Parts of `alter table`, which stand between commas. */
const ACTIONS: readonly (readonly [RegExp, string])[] = [
  [/^drop (?!constraint|default|not null|identity|expression)(?:column )?(?:if exists )?(\w+)/, 'drops column'],
  [/^alter (?:column )?(\w+) drop default/, 'leaves no default to'],
  [/^rename/, 'renames'],
  [/^alter (?:column )?(\w+) (?:set data )?type/, 'changes the type of'],
  [/^alter (?:column )?(\w+) set not null/, 'asks for a value of'],
  [
    /^add (?:constraint \w+ )?(?:check|unique|primary key|foreign key|exclude)/,
    'adds a rule that older programs do not know to',
  ],
  [/^set schema/, 'moves'],
];

function takesAway(text: string, known: ReadonlySet<string>): string[] {
  const table = tables('^alter table (?:if exists )?(?:only )?NAME').exec(text);
  if (table !== null) {
    const [whole, name = ''] = table;
    return known.has(name) ? actionsThatTake(text.slice(whole.length), name) : [];
  }
  return [
    ...STATEMENTS.flatMap(([pattern, what]) =>
      [...text.matchAll(pattern)].flatMap(([, name = '']) => (known.has(name) ? [`${what} ${name}`] : [])),
    ),
    ...ANYWHERE.flatMap(([pattern, what]) => (pattern.test(text) ? [`${what}: ${text.slice(0, 60)}`] : [])),
  ];
}

function actionsThatTake(rest: string, table: string): string[] {
  const actions = betweenCommas(rest);
  return actions.flatMap((action) => {
    const bare =
      /^add (?:column )?(?:if not exists )?(?!constraint|check|unique|primary|foreign|exclude)(\w+) .*not null/.exec(
        action,
      );
    if (bare !== null && !/ (?:default|generated) /.test(action))
      return [`adds column ${bare[1] ?? ''} to ${table}, not null and without a default`];
    // A rule that is widened is dropped and made anew in one statement or the next: the new one is looked at.
    return ACTIONS.flatMap(([pattern, what]) => {
      const found = pattern.exec(action);
      return found === null ? [] : [`${what} ${[table, found[1]].filter((part) => part !== undefined).join('.')}`];
    });
  });
}

function betweenCommas(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let part = '';
  for (const character of text) {
    if (character === '(') depth += 1;
    if (character === ')') depth -= 1;
    if (character !== ',' || depth > 0) {
      part += character;
      continue;
    }
    parts.push(part);
    part = '';
  }
  return [...parts, part].map((each) => each.trim());
}
