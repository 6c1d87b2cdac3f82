import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { alertGroups, alertRulesFile } from '../../jobs/runner/alert-rules';
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

  it('have the alerts of deploy/prometheus/jobs.yml', () => {
    expect(file('deploy/prometheus/jobs.yml')).toBe(alertRulesFile(jobs));
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

describe('each alert of jobs', () => {
  it.each(rules.map((rule) => [`${rule.alert} ${rule.labels['job'] ?? ''}`, rule] as const))(
    '%s says how bad it is, what it is, and where to read on',
    (_name, { labels, annotations }) => {
      expect(['critical', 'warning']).toContain(labels['severity']);
      expect(annotations.summary).not.toBe('');
      const [, page] = /\/([\w-]+\.md)$/.exec(annotations.runbook_url) ?? [];
      expect(existsSync(join(ROOT, 'docs/runbooks', page ?? 'none'))).toBe(true);
    },
  );
});
