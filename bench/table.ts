/** One measured figure. */
export interface BenchmarkRow {
  readonly benchmark: string;
  /** What was measured, with its unit. */
  readonly measure: string;
  readonly ours: number;
  /** The same, measured in the same run, of the least that could do the work; null when there is none. */
  readonly reference: number | null;
  /** What the figure has to be, in words; null for figures that are only told. */
  readonly target: string | null;
  /** Whether it is; null without a target. */
  readonly met: boolean | null;
}

/** A benchmark measures, and tells people on the way what it does. */
export type Benchmark = (say: (line: string) => void) => Promise<readonly BenchmarkRow[]>;

/** Rows as a table for a terminal, which is Markdown as well. */
export function tableOf(rows: readonly BenchmarkRow[]): string {
  const head = ['benchmark', 'measure', 'ours', 'reference', 'ratio', 'target', ''];
  const body = rows.map((row) => [
    row.benchmark,
    row.measure,
    figure(row.ours),
    row.reference === null ? '' : figure(row.reference),
    row.reference === null ? '' : (row.ours / row.reference).toFixed(2),
    row.target ?? '',
    row.met === null ? '' : row.met ? 'met' : 'MISSED',
  ]);
  const widths = head.map((title, column) => Math.max(title.length, ...body.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  return [line(head), rule, ...body.map(line)].join('\n');
}

/** Three digits that say something. */
const figure = (value: number): string =>
  Math.abs(value) >= 100
    ? Math.round(value).toLocaleString('en')
    : value.toLocaleString('en', { maximumSignificantDigits: 3 });
