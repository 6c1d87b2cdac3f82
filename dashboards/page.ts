import {
  DashboardBuilder,
  DashboardCursorSync,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  type Dashboard,
  type Panel,
} from '@grafana/grafana-foundation-sdk/dashboard';
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import { DATA_SOURCE } from './panel';

export interface Page {
  /** Part of its address in Grafana. */
  readonly uid: string;
  readonly title: string;
  readonly about: string;
  /** Where the list of feeders to choose from is taken from; null: there is nothing to choose. */
  readonly feedersOf: string | null;
  readonly rows: readonly { readonly title: string; readonly panels: readonly Builder<Panel>[] }[];
}

/* eslint-disable @typescript-eslint/no-deprecated -- the classic model: what Grafana 11 and 12 read from files */
/** A page with its variables: the data source, and the feeders where there are any to choose. */
export function dashboard({ uid, title, about, feedersOf, rows }: Page): Dashboard {
  const page = new DashboardBuilder(title)
    .uid(uid)
    .description(about)
    .tags(['derms'])
    .timezone('browser')
    .refresh('30s')
    .time({ from: 'now-6h', to: 'now' })
    .tooltip(DashboardCursorSync.Crosshair)
    .withVariable(new DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'));
  if (feedersOf !== null)
    page.withVariable(
      new QueryVariableBuilder('feeder')
        .label('Feeder')
        .datasource(DATA_SOURCE)
        .query(`label_values(${feedersOf}, feeder)`)
        .multi(true)
        .includeAll(true),
    );
  for (const { title: row, panels } of rows) {
    page.withRow(new RowBuilder(row));
    for (const panel of panels) page.withPanel(panel);
  }
  return page.build();
}
