const { kind, withServers } = require('./jest.kind.cjs');

/** What needs more tools or minutes than `npm test`; see test/README.md. */
module.exports = {
  maxWorkers: 2, // most of a proof is waiting
  testTimeout: 600_000,
  passWithNoTests: true,
  projects: [kind('proofs', withServers)],
};
