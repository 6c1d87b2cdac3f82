// Entry of child processes that a test kills or suspends: node run-typescript.cjs <file.ts>
const { readFileSync } = require('node:fs');
const { resolve } = require('node:path');
const { transformSync } = require('@swc/core');

require.extensions['.ts'] = (module, filename) => {
  const { code } = transformSync(readFileSync(filename, 'utf8'), { filename });
  module._compile(code, filename);
};
require(resolve(process.argv[2]));
