import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = join(__dirname, '../../docs/runbooks');

/** Every page, those of alerts too, as `commandsOf` takes them. */
export const runbookPages = (): readonly string[] =>
  ['.', 'alerts'].flatMap((folder) =>
    readdirSync(join(FOLDER, folder))
      .filter((name) => name.endsWith('.md') && name !== 'README.md')
      .map((name) => (folder === '.' ? name : `${folder}/${name}`)),
  );

/** Each line of a page's blocks of PromQL. */
export const queriesOf = (page: string): readonly string[] =>
  [...readFileSync(join(FOLDER, page), 'utf8').matchAll(/^ *```promql\n([^]*?)^ *```$/gm)].flatMap(([, block = '']) =>
    block.split('\n').filter((line) => line.trim() !== ''),
  );
