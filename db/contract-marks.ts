/** `-- contract since 0.2.0: why`: before a statement that takes away what no release from 0.2.0 on uses. */
const MARK = /^--\s*contract since (\d+\.\d+\.\d+):\s*\S/;

/** The release that a line of a migration says to have stopped using what goes; null: the line is no mark. */
export const markIn = (line: string): string | null => MARK.exec(line.trim())?.[1] ?? null;

/** The oldest release that works on what the migration leaves; null: it only adds. */
export function contractedSince(sql: string): string | null {
  const marks = sql.split('\n').map(markIn);
  return marks.reduce(
    (newest, mark) => (mark !== null && (newest === null || isAtLeast(mark, newest)) ? mark : newest),
    null,
  );
}

/** Of two versions `1.2.3`; what stands behind a `-` or `+` does not count. */
export function isAtLeast(version: string, wanted: string): boolean {
  const [ours, theirs] = [partsOf(version), partsOf(wanted)];
  const place = theirs.findIndex((part, index) => part !== ours[index]);
  return place === -1 || (ours[place] ?? 0) > (theirs[place] ?? 0);
}

const partsOf = (version: string): number[] =>
  version
    .replace(/[-+].*$/, '')
    .split('.')
    .map(Number);
