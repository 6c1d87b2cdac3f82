import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** Writes deploy/grafana/dashboards/ from dashboards/; a test keeps them equal. */
const { DASHBOARDS, dashboardFile } = createRequire(import.meta.url)('../dist/dashboards/index.js');

for (const name of Object.keys(DASHBOARDS))
  writeFileSync(new URL(`../deploy/grafana/dashboards/${name}.json`, import.meta.url), dashboardFile(name));
