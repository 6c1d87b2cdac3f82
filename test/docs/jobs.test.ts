import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { alertGroups } from '../../jobs/runner/alert-rules';
import { loadJobs } from '../../jobs/runner/load-jobs';
import { jobsPage } from '../../jobs/runner/page';

const ROOT = join(__dirname, '../..');
const file = (name: string): string => readFileSync(join(ROOT, name), 'utf8');
const jobs = loadJobs();
const rules = alertGroups(jobs).flatMap((group) => group.rules);

describe('the jobs', () => {
  it('are described in docs/jobs.md as they are declared', () => {
    expect(file('docs/jobs.md')).toBe(jobsPage(jobs));
  });

  it.each([...jobs.values()].map(({ name, runbook }) => [name, runbook]))('have a runbook: %s', (_name, runbook) => {
    expect(existsSync(join(ROOT, 'docs/runbooks', runbook))).toBe(true);
  });

  it.each([...jobs.values()].filter(({ freshness }) => freshness !== null).map(({ name }) => [name]))(
    'have an alert when the promise of %s is broken',
    (name) => {
      expect(rules.filter(({ alert, labels }) => alert === 'DermsJobNotFresh' && labels['job'] === name)).toHaveLength(
        1,
      );
    },
  );
});
