const kind = require('./jest.kind.cjs');

const withServers = {
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/global-teardown.ts',
};

module.exports = {
  maxWorkers: 2,
  testTimeout: 60_000,
  projects: [
    kind('unit'),
    kind('docs'),
    kind('replay'),
    kind('local'),
    kind('workflow', withServers),
    kind('adapter', withServers),
    kind('e2e'),
  ],
};
