import { scopeFault, SCOPES } from '../../../../api/auth/scopes';

const jobs = new Set(['db-backup']);

describe('a scope', () => {
  it('is one of these', () => {
    expect(SCOPES).toEqual([
      'audit:read',
      'dispatches:cancel',
      'dispatches:request',
      'envelopes:set:{source}',
      'jobs:run:{jobName}',
      'read:backups',
      'read:devices',
      'read:dispatches',
      'read:emergency-stop',
      'read:envelopes',
      'read:feeders',
      'read:jobs',
      'read:plans',
      'read:quarantine',
      'read:runs',
      'read:schedules',
    ]);
  });

  it.each(['read:*', 'read:runs', 'jobs:run:db-backup', 'jobs:run:*', 'envelopes:set:network-operator', 'audit:*'])(
    'may be %s',
    (scope) => {
      expect(scopeFault(scope, jobs)).toBeNull();
    },
  );

  it.each(['*', 'read', 'read:everything', 'jobs:*', 'jobs:*:db-backup', 'jobs:run:', 'envelopes:set:a b', 'admin'])(
    'may not be "%s"',
    (scope) => {
      expect(scopeFault(scope, jobs)).toContain('is none of audit:read, ');
    },
  );

  it('names a job that there is, so that a misspelt one is found before the night', () => {
    expect(scopeFault('jobs:run:db-bakcup', jobs)).toBe('names a job that there is not: db-bakcup');
  });
});
