import { relative } from 'node:path';

/** Where the results of a second run are, beside those of the first. */
export const secondRunOf = (resultsFile) => resultsFile.replace(/\.json$/, '.again.json');

const isRed = ({ status }) => status === 'failed';

/** The files of jest's results in which something was red, or that could not be run at all. */
export const redFiles = ({ testResults }) => testResults.filter(isRed).map(({ name }) => relative('.', name));

/** `file: name of the test` of each red test; the file alone when it could not be run. */
export const redTests = ({ testResults }) =>
  testResults.filter(isRed).flatMap(({ name, assertionResults }) => {
    const red = assertionResults.filter(isRed).map(({ fullName }) => `${relative('.', name)}: ${fullName}`);
    return red.length > 0 ? red : [relative('.', name)];
  });
