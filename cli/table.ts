/** Rows in columns, numbers to the right, dates to the left; the first row is the head. */
export function table(rows: readonly (readonly string[])[]): string {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) => {
          const width = widths[column] ?? 0;
          return isNumeric(rows, column) ? cell.padStart(width) : cell.padEnd(width);
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

const isNumeric = (rows: readonly (readonly string[])[], column: number): boolean =>
  rows.slice(1).every((row) => /^(-|(?!\d{4}-\d\d-)-?[\d.]+.*)$/.test(row[column] ?? '-'));
