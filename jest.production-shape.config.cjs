const { kind } = require('./jest.kind.cjs');

/** What needs the production server of Temporal, which takes minutes to build; see test/README.md. */
module.exports = { maxWorkers: 1, testTimeout: 600_000, projects: [kind('production-shape')] };
