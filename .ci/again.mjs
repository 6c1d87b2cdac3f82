import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { redFiles, secondRunOf } from './results.mjs';

/**
 * Runs the files of a run that were red once more, alone, and ends as that run ends. What is red alone as well is broken.
 * What is red only beside others is named by the sum: it is a defect of the test or of what it tests, to be found and mended.
 */
const [resultsFile, ...jestArguments] = process.argv.slice(2);
/** More than a handful is no matter of neighbours. */
const MOST_FILES = 8;

const red = redFiles(JSON.parse(readFileSync(resultsFile, 'utf8')));
if (red.length === 0 || red.length > MOST_FILES) {
  console.error(`${red.length} files were red: none is run again`);
  process.exit(1);
}
console.log(`== again, alone: ${red.join(' ')}`);
const again = ['jest', ...jestArguments, '--runInBand', '--json', `--outputFile=${secondRunOf(resultsFile)}`];
process.exit(spawnSync('npx', [...again, '--runTestsByPath', ...red], { stdio: 'inherit' }).status ?? 1);
