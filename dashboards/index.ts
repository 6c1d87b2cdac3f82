import { operators } from './operators';
import { sre } from './sre';

/** By the name of the file that holds each. */
export const DASHBOARDS = { operators, sre } as const;

/** What stands in deploy/grafana/dashboards/`name`.json. */
export const dashboardFile = (name: keyof typeof DASHBOARDS): string =>
  `${JSON.stringify(DASHBOARDS[name], null, 2)}\n`;
