import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** Writes docs/jobs.md from the declarations in jobs/; a test keeps them equal. */
const load = createRequire(import.meta.url);
const { loadJobs } = load('../dist/jobs/runner/load-jobs.js');
const { jobsPage } = load('../dist/jobs/runner/page.js');
const file = (path) => fileURLToPath(new URL(path, import.meta.url));

writeFileSync(file('jobs.md'), jobsPage(loadJobs()));
