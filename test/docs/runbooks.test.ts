import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { loadJobs } from '../../jobs/runner/load-jobs';

const FOLDER = join(__dirname, '../../docs/runbooks');
const INDEX = readFileSync(join(FOLDER, 'README.md'), 'utf8');
const linked = [...INDEX.matchAll(/\]\(([\w-]+\.md)\)/g)].map(([, page]) => page!);
const jobs = [...loadJobs().values()].map(({ name, runbook }) => ({ name, runbook }));

describe('the runbooks', () => {
  it.each(jobs)('have the page that job $name names, $runbook', ({ runbook }) => {
    expect(existsSync(join(FOLDER, runbook))).toBe(true);
    expect(linked).toContain(runbook);
  });

  it('are each listed once in the index', () => {
    const pages = readdirSync(FOLDER).filter((name) => name.endsWith('.md') && name !== 'README.md');
    expect([...linked].sort()).toEqual(pages.sort());
  });
});
