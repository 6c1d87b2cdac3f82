// Entry of child processes that a test kills or suspends: node run-typescript.cjs <file.ts> [arguments of it]
const { readFileSync } = require('node:fs');
const { resolve } = require('node:path');
const { transformSync } = require('@swc/core');

require.extensions['.ts'] = (module, filename) => {
  const { code } = transformSync(readFileSync(filename, 'utf8'), { filename });
  module._compile(code, filename);
};
process.argv.splice(1, 1);
require(resolve(process.argv[1]));
