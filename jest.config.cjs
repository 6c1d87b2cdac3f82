/** One project per kind of test: what each needs and proves is in test/README.md. */
const kind = (name, options = {}) => ({
  displayName: name,
  testEnvironment: 'node',
  rootDir: __dirname,
  testMatch: [`<rootDir>/test/${name}/**/*.test.ts`],
  transform: { '^.+\\.ts$': ['@swc/jest'] },
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/.local'],
  ...options,
});
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
    kind('e2e', withServers),
  ],
};
module.exports.kind = kind;
