import { existsSync, readFileSync } from 'node:fs';
import { redTests, secondRunOf } from './results.mjs';

/**
 * Adds up jest's own result files, and names what was red. Files that were run a second time count as they ended there. A
 * step that failed without a failed test, or left no results, counts as a failure.
 */
const [failedSteps, ...files] = process.argv.slice(2);
const read = (file) => JSON.parse(readFileSync(file, 'utf8'));
const red = [];
const redOnce = [];
let passed = 0;
for (const file of files) {
  try {
    const first = read(file);
    const second = existsSync(secondRunOf(file)) ? read(secondRunOf(file)) : null;
    const runAgain = new Set(second?.testResults.map(({ name }) => name));
    const results = [...first.testResults.filter(({ name }) => !runAgain.has(name)), ...(second?.testResults ?? [])];
    passed += results
      .flatMap(({ assertionResults }) => assertionResults)
      .filter(({ status }) => status === 'passed').length;
    const stillRed = redTests({ testResults: results });
    red.push(...stillRed);
    redOnce.push(...redTests(first).filter((test) => !stillRed.includes(test)));
  } catch (error) {
    red.push(`no results in ${file}: ${error.message}`);
  }
}
for (const test of redOnce) console.log(`red at first, green when run again alone: ${test}`);
for (const test of red) console.log(`red: ${test}`);
const failed = red.length > 0 ? red.length : Number(failedSteps);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
