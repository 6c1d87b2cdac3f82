import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const TUTORIAL = readFileSync(join(__dirname, '../../docs/tutorials/first-job.md'), 'utf8');

/** The job of the tutorial as a reader pastes it, with the file it goes into. */
export function tutorialJob(): { readonly fileName: string; readonly source: string } {
  const fileName = /One file, `jobs\/([\w-]+\.ts)`/.exec(TUTORIAL)?.[1];
  const source = /```ts\n([^]*?)```/.exec(TUTORIAL)?.[1];
  if (fileName === undefined || source === undefined) throw new Error('the tutorial shows no job');
  return { fileName, source };
}

/** Its commands, lines that go on joined. */
export const tutorialCommands = (): string[] =>
  [...TUTORIAL.matchAll(/```sh\n([^]*?)```/g)].map(([, text = '']) => text.replaceAll(/\\\n\s*/g, '').trim());

/** What it says a run answers. */
export const tutorialResult = (): unknown => JSON.parse(/succeeded in 0 s\n(\{[^]*?\n\})/.exec(TUTORIAL)?.[1] ?? '');
