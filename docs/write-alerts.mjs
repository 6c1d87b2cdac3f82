import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** Writes deploy/prometheus/alerts.yml from the rules beside it and the declarations in jobs/, and the same for the operator. */
const load = createRequire(import.meta.url);
const { loadJobs } = load('../dist/jobs/runner/load-jobs.js');
const { alertRulesFile, prometheusRuleFile } = load('../dist/jobs/runner/alert-rules.js');
const deploy = new URL('../deploy/', import.meta.url);
const rules = new URL('prometheus/rules/', deploy);

const handWritten = readdirSync(rules).sort();
const all = alertRulesFile(
  loadJobs(),
  handWritten.map((name) => readFileSync(new URL(name, rules), 'utf8')),
);
writeFileSync(new URL('prometheus/alerts.yml', deploy), all);
writeFileSync(new URL('k8s/overlays/prod/prometheus-rules.yaml', deploy), prometheusRuleFile(all));
