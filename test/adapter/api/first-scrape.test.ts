import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { inDeployment } from '../../../jobs/runner/declaration';
import { loadJobs } from '../../../jobs/runner/load-jobs';
import { startTestSystem, type TestSystem } from '../../../local/test-system';

// The compiled program on a database that nobody has used: an alert on a series that is not there never fires.

const ROOT = join(__dirname, '../../..');
const BUILT = join(ROOT, 'dist/api/main.js');
const RULES = join(ROOT, 'deploy/prometheus/alerts.yml');

/** Of all kinds the one in which every job is scheduled. */
const DEPLOYMENT = 'staging';
/** It is on the page of the jobs role, which sends deletions away. */
const ELSEWHERE = ['derms_deletions_not_stored'];

let system: TestSystem;
let page: string;
beforeAll(async () => {
  if (!existsSync(BUILT)) throw new Error('dist/ is not there: run npm run build');
  system = await startTestSystem({ env: { DEPLOYMENT } });
  await system.start('api'); // no worker has ever run
  page = await (await fetch(`${system.apiUrl}/metrics`, { signal: AbortSignal.timeout(5_000) })).text();
}, 90_000);
afterAll(() => system.stop(), 30_000);

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}
const labelsIn = (text: string): [string, string, string][] =>
  [...text.matchAll(/(\w+)(=~|=)"([^"]*)"/g)].map(([, name = '', how = '', value = '']) => [name, how, value]);
const samples = (): Sample[] =>
  page.split('\n').flatMap((line) => {
    const [, name, inside = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (name === undefined || name === '#') return [];
    const labels = Object.fromEntries(labelsIn(inside).map(([label, , text]) => [label, text]));
    return [{ name, labels, value: Number(value) }];
  });

/** What the expressions of the alerts select, as `name{matchers}`. */
const selectors = (): string[] => {
  const { groups } = parse(readFileSync(RULES, 'utf8')) as {
    groups: { name: string; rules: { expr: string }[] }[];
  };
  const ofApi = groups.filter(({ name }) => /^(job-.*|schedules|audit|backups|dependencies)$/.test(name));
  const found = ofApi.flatMap(({ rules }) =>
    rules.flatMap(({ expr }) => [...expr.matchAll(/derms_\w+(\{[^}]*\})?/g)].map(([selector]) => selector)),
  );
  return [...new Set(found)].filter((selector) => !ELSEWHERE.includes(selector));
};
const selected = (selector: string): Sample[] => {
  const [, name, inside = ''] = /^(\w+)(?:\{(.*)\})?$/.exec(selector) ?? [];
  return samples().filter(
    (sample) =>
      sample.name === name &&
      labelsIn(inside).every(([label, how, text]) =>
        how === '=' ? sample.labels[label] === text : new RegExp(`^(${text})$`).test(sample.labels[label] ?? ''),
      ),
  );
};

describe('the first scrape of a new deployment', () => {
  it.each(selectors())('has %s, as a number', (selector) => {
    const found = selected(selector);
    expect(found.length).toBeGreaterThan(0);
    expect(found.filter(({ value }) => Number.isNaN(value))).toEqual([]);
  });

  it('has every figure of every job, and nothing that alarms anybody', () => {
    for (const job of loadJobs().values()) {
      const of = (name: string, labels: string): number[] => selected(`${name}{${labels}}`).map(({ value }) => value);
      for (const outcome of ['succeeded', 'failed', 'cancelled', 'terminated', 'skipped'])
        expect(of('derms_job_runs_total', `job="${job.name}",outcome="${outcome}"`)).toEqual([0]);
      if (inDeployment(job.freshness, DEPLOYMENT) === null) continue;
      expect(of('derms_job_freshness_seconds', `job="${job.name}"`)[0]).toBeLessThan(60); // its time begins now
      expect(of('derms_job_fresh', `job="${job.name}"`)).toEqual([1]);
      expect(of('derms_schedule_ticks_unaccounted', `schedule="job-${job.name}"`)).toEqual([0]);
      expect(of('derms_schedule_lateness_seconds', `schedule="job-${job.name}"`)).toEqual([0]);
    }
    expect(selected('derms_job_queue_backlog{queue="jobs"}').map(({ value }) => value)).toEqual([0]);
  });
});
