import { markIn } from '../../db/contract-marks';

/** One statement of a migration, as a linter wants it. */
export interface SqlStatement {
  /** Lower case, without comments, its spaces single ones; what stood in quotes is `''`. */
  readonly text: string;
  readonly line: number;
  /** The release that a mark before it names: `-- contract since 0.2.0: why`. */
  readonly contractSince: string | null;
  /** `-- widens: why` stands before it: its rule lets everything through that the one before did. */
  readonly widens: boolean;
}

const WIDENS = /^--\s*widens:\s*\S/;

/** In this order: a comment, a string, a function's body, an end of a statement. */
const PIECE = /--[^\n]*|\/\*[^]*?\*\/|'(?:[^']|'')*'|(\$\w*\$)[^]*?\1|;/g;

/** Splits what people write by hand; a body between dollars is one piece. */
export function sqlStatements(sql: string): SqlStatement[] {
  const statements: SqlStatement[] = [];
  let text = '';
  let from = 0;
  let mark: string | null = null;
  let widens = false;
  let startsAt: number | null = null;
  const take = (piece: string, at: number): void => {
    if (startsAt === null && piece.trim() !== '') startsAt = at + piece.search(/\S/);
    text += piece;
  };
  const end = (): void => {
    const found = text.replace(/\s+/g, ' ').trim().toLowerCase();
    if (found !== '' && startsAt !== null)
      statements.push({ text: found, line: sql.slice(0, startsAt).split('\n').length, contractSince: mark, widens });
    text = '';
    mark = null;
    widens = false;
    startsAt = null;
  };
  for (const { 0: piece, index } of sql.matchAll(PIECE)) {
    take(sql.slice(from, index), from);
    from = index + piece.length;
    if (piece === ';') end();
    else if (piece.startsWith('--')) {
      mark = markIn(piece) ?? mark;
      widens ||= WIDENS.test(piece);
    } else if (!piece.startsWith('/*')) take(piece.startsWith("'") ? "''" : '$$', index);
  }
  take(sql.slice(from), from);
  end();
  return statements;
}
