import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { loadJobs } from '../../jobs/runner/load-jobs';
import { commandsOf } from '../support/runbook-commands';

const ROOT = join(__dirname, '../..');
const FOLDER = join(ROOT, 'docs/runbooks');
const INDEX = readFileSync(join(FOLDER, 'README.md'), 'utf8');
const linked = [...INDEX.matchAll(/\]\(([\w-]+\.md)\)/g)].map(([, page]) => page!);
const jobs = [...loadJobs().values()].map(({ name, runbook }) => ({ name, runbook }));
const pagesIn = (folder: string): string[] =>
  readdirSync(join(FOLDER, folder)).filter((name) => name.endsWith('.md') && name !== 'README.md');
const pages = pagesIn('.');
const everyPage = [...pages, ...pagesIn('alerts').map((name) => `alerts/${name}`)];
const PARTS = ['What it means', 'First look', 'Fix', 'Verify', 'Escalate'];
const textOf = (page: string): string => readFileSync(join(FOLDER, page), 'utf8');

describe('the runbooks', () => {
  it.each(jobs)('have the page that job $name names, $runbook', ({ runbook }) => {
    expect(existsSync(join(FOLDER, runbook))).toBe(true);
    expect(linked).toContain(runbook);
  });

  it('are each listed once in the index', () => {
    expect([...linked].sort()).toEqual(pages.sort());
  });

  it.each(everyPage)('have five parts, in this order: %s', (page) => {
    const headings = [...textOf(page).matchAll(/^## (.+)$/gm)].map(([, heading]) => heading!);
    expect(headings.filter((heading) => PARTS.includes(heading))).toEqual(PARTS);
  });

  // Those of the jobs, the alerts and of operations are also run: test/e2e/runbooks.test.ts.
  it.each(everyPage)('have commands that a shell can read: %s', (page) => {
    const shell = commandsOf(page).filter(({ kind }) => kind === 'shell');
    const unreadable = shell.flatMap(({ where, text }) => {
      const { status, stderr } = spawnSync('bash', ['-n', '-c', text], { encoding: 'utf8' });
      return status === 0 ? [] : [`${where} ${text}: ${stderr}`];
    });
    expect(unreadable).toEqual([]);
  });

  it.each(everyPage)('read only what the API has: %s', (page) => {
    const { paths } = JSON.parse(readFileSync(join(ROOT, 'docs/openapi.json'), 'utf8')) as {
      paths: Record<string, object>;
    };
    const served = Object.keys(paths).map((path) => new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`));
    const named = [...readFileSync(join(FOLDER, page), 'utf8').matchAll(/(?<![\w.])\/api\/[\w/{}-]+/g)].map(
      ([path]) => path,
    );
    expect(named.filter((path) => !path.startsWith('/api/docs') && !served.some((route) => route.test(path)))).toEqual(
      [],
    );
  });

  it.each(everyPage)('name alerts that there are: %s', (page) => {
    const rules = readFileSync(join(ROOT, 'deploy/prometheus/alerts.yml'), 'utf8');
    const named = [...readFileSync(join(FOLDER, page), 'utf8').matchAll(/\bDerms[A-Z]\w+/g)].map(([name]) => name);
    expect(named.filter((name) => !rules.includes(`alert: ${name}\n`))).toEqual([]);
  });
});
