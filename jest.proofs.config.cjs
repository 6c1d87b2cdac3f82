const { kind, withServers } = require('./jest.kind.cjs');

/** They hold times of a second or so, which a neighbour that computes would spoil. */
const WITH_BUDGETS = [
  'failover/(drill-jobs|front|postgres-failover|split-brain)',
  'mqtt/',
  'resilience/workers-and-temporal',
].map((part) => `<rootDir>/test/proofs/${part}`);
/** Which to run: `side-by-side`, `alone`, or all of them, one at a time. CI takes the first two in turn. */
const which = process.env.DERMS_PROOFS;

/** What needs more tools or minutes than `npm test`; see test/README.md. */
module.exports = {
  maxWorkers: which === 'side-by-side' ? 2 : 1,
  testTimeout: 600_000,
  passWithNoTests: true,
  projects: [
    kind('proofs', {
      ...withServers,
      ...(which === 'side-by-side' && { testPathIgnorePatterns: WITH_BUDGETS }),
      ...(which === 'alone' && {
        testMatch: ['<rootDir>/test/proofs/{failover,mqtt,resilience}/**/*.test.ts'],
        testPathIgnorePatterns: ['through-pgbouncer', 'degraded-mode'],
      }),
    }),
  ],
};
