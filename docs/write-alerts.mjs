import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** Writes deploy/prometheus/alerts.yml from the rules beside it and the declarations in jobs/; a test keeps them equal. */
const load = createRequire(import.meta.url);
const { loadJobs } = load('../dist/jobs/runner/load-jobs.js');
const { alertRulesFile } = load('../dist/jobs/runner/alert-rules.js');
const folder = new URL('../deploy/prometheus/', import.meta.url);
const rules = new URL('rules/', folder);

const handWritten = readdirSync(rules).sort();
writeFileSync(
  new URL('alerts.yml', folder),
  alertRulesFile(
    loadJobs(),
    handWritten.map((name) => readFileSync(new URL(name, rules), 'utf8')),
  ),
);
