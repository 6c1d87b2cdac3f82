const { kind, withServers } = require('./jest.kind.cjs');

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
