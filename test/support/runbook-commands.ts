import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = join(__dirname, '../../docs/runbooks');

/** Something that a page tells its reader to type. */
export interface RunbookCommand {
  /** `db-backup.md:22`. */
  readonly where: string;
  /** `get` is a path of the API that the page says to read. */
  readonly kind: 'shell' | 'sql' | 'get';
  /** As it stands there, placeholders in capitals. */
  readonly text: string;
  /** It needs a machine or a moment that no test has: in a block that says `elsewhere`, or of a program that is not ours. */
  readonly elsewhere: boolean;
}

/** Every command of a page, in its order: of its blocks, and those that stand in a sentence. */
export const commandsOf = (page: string): RunbookCommand[] =>
  commandsIn(readFileSync(join(FOLDER, page), 'utf8'), page);

/** The same of any text. */
export function commandsIn(text: string, page: string): RunbookCommand[] {
  const blocks = [...text.matchAll(/^ *```(\w*)([^\n]*)\n([^]*?)^ *```$/gm)];
  const sentences = blocks.reduce((rest, [block]) => rest.replace(block, block.replace(/[^\n]/g, ' ')), text);
  const found = [
    ...blocks.flatMap(({ 1: language, 2: marks = '', 3: content = '', index }) =>
      linesOf(language, content).map((line) => ({ ...line, at: index, elsewhere: marks.includes('elsewhere') })),
    ),
    ...inSentences(sentences),
  ];
  const lineAt = (index: number): number => text.slice(0, index).split('\n').length;
  return found
    .map(({ at, ...command }) => ({ where: `${page}:${String(lineAt(at))}`, at, ...command }))
    .sort((a, b) => a.at - b.at)
    .map(({ where, kind, text: typed, elsewhere }) => ({ where, kind, text: typed, elsewhere }));
}

type Typed = Pick<RunbookCommand, 'kind' | 'text'>;

/** Of a block: a command a line in a shell, one up to a semicolon in SQL. */
function linesOf(language: string | undefined, content: string): Typed[] {
  if (language !== 'sh' && language !== 'sql') return [];
  const ends = language === 'sh' ? /(?<!\\)\n/ : /;\n/;
  return content
    .split(ends)
    .map((part) => (language === 'sh' ? part.replace(/\\\n/g, ' ').replace(/(^|\s)#\s.*$/, '') : part))
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((text) => ({ kind: language === 'sh' ? 'shell' : 'sql', text }));
}

/** Programs of ours or of any machine, and those of a machine of production. */
const STARTS =
  /^(?:(npm run|curl) |(select) |GET (?=\/api\/)|(?:aws|df|install|kill|kubectl|ls|mosquitto_sub|mv|systemctl) )/;

type Found = Typed & { readonly at: number; readonly elsewhere: boolean };

function inSentences(text: string): Found[] {
  return [...text.matchAll(/`([^`\n]+)`/g)].flatMap(({ 1: typed = '', index: at }): Found[] => {
    const start = STARTS.exec(typed);
    if (start === null) return [];
    const [whole, ours, sql] = start;
    if (sql !== undefined) return [{ kind: 'sql', text: typed, at, elsewhere: false }];
    if (whole === 'GET ') return [{ kind: 'get', text: typed.slice(whole.length), at, elsewhere: false }];
    return [{ kind: 'shell', text: typed, at, elsewhere: ours === undefined }];
  });
}
