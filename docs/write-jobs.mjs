import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** Writes docs/jobs.md and deploy/prometheus/jobs.yml from the declarations in jobs/; a test keeps them equal. */
const load = createRequire(import.meta.url);
const { loadJobs } = load('../dist/jobs/runner/load-jobs.js');
const { jobsPage } = load('../dist/jobs/runner/page.js');
const { alertRulesFile } = load('../dist/jobs/runner/alert-rules.js');
const file = (path) => fileURLToPath(new URL(path, import.meta.url));

mkdirSync(file('../deploy/prometheus'), { recursive: true });
writeFileSync(file('jobs.md'), jobsPage(loadJobs()));
writeFileSync(file('../deploy/prometheus/jobs.yml'), alertRulesFile(loadJobs()));
