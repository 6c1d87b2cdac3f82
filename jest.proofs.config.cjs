const { kind, withServers } = require('./jest.kind.cjs');

/** What needs more tools or minutes than `npm test`; see test/README.md. */
module.exports = {
  maxWorkers: 1,
  testTimeout: 600_000,
  passWithNoTests: true,
  projects: [kind('proofs', withServers)],
};
