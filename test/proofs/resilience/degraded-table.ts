import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const PAGE = join(__dirname, '../../../docs/degraded-mode.md');
export const COLUMNS = [
  ...([
    'Read',
    "Loop's state",
    'Dispatch',
    'Other writes',
    'Backup',
    'Emergency stop',
    'Telemetry',
    'Control',
  ] as const),
] as const;
export type Column = (typeof COLUMNS)[number];
export const PARTS = ['Temporal', 'PostgreSQL', 'broker', 'storage'] as const;
export type PartInTable = (typeof PARTS)[number];

export interface DegradedRow {
  readonly away: readonly PartInTable[];
  /** As the page says it, without its backquotes. */
  readonly cells: Readonly<Record<Column, string>>;
}

/** @throws {Error} when the page has no such table, or it does not have every part alone and every two of them. */
export function readDegradedTable(): DegradedRow[] {
  const lines = readFileSync(PAGE, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll('`', '')),
    );
  const [head = [], , ...body] = lines;
  const wanted = ['Away', ...COLUMNS];
  if (head.join('|') !== wanted.join('|')) throw new Error(`${PAGE}: the columns are ${head.join(', ')}`);
  const rows = body.map(([away = '', ...cells]) => ({
    away: partsIn(away),
    cells: Object.fromEntries(COLUMNS.map((column, index) => [column, cells[index] ?? ''])) as DegradedRow['cells'], // one per column
  }));
  const found = rows.map(({ away }) => away.join()).sort();
  const all = [[], ...PARTS.map((part) => [part]), ...pairs()].map((parts) => parts.join()).sort();
  if (found.join('; ') !== all.join('; ')) throw new Error(`${PAGE}: the rows are ${found.join('; ')}`);
  return rows;
}

const pairs = (): PartInTable[][] =>
  PARTS.flatMap((first, index) => PARTS.slice(index + 1).map((second) => [first, second]));

function partsIn(cell: string): PartInTable[] {
  if (cell === 'nothing') return [];
  return cell.split(', ').map((name) => {
    const part = PARTS.find((known) => known === name);
    if (part === undefined) throw new Error(`${PAGE}: ${name} is no part`);
    return part;
  });
}
