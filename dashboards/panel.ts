import { PanelBuilder as BarGauge } from '@grafana/grafana-foundation-sdk/bargauge';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as Stat } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TimeSeries } from '@grafana/grafana-foundation-sdk/timeseries';
import { ThresholdsConfigBuilder, ThresholdsMode } from '@grafana/grafana-foundation-sdk/dashboard';

/** An expression of Prometheus, and what its series are called in the legend. */
export type Query = readonly [expr: string, legend: string];

export interface PanelText {
  readonly title: string;
  /** What it says, and from when on it is bad. */
  readonly about: string;
  /** As Grafana names units: `kwatt`, `s`, `percentunit`, `short`, `reqps`. */
  readonly unit: string;
}

export const DATA_SOURCE = { type: 'prometheus', uid: '${datasource}' };
const HEIGHT = 8;
/** Of 24 columns. */
const WIDTH = 12;

const targets = (queries: readonly Query[]): DataqueryBuilder[] =>
  queries.map(([expr, legend], index) =>
    new DataqueryBuilder()
      .datasource(DATA_SOURCE)
      .expr(expr)
      .legendFormat(legend)
      .refId(String.fromCharCode('A'.charCodeAt(0) + index)),
  );

/** Lines over time. */
export const lines = ({ title, about, unit }: PanelText, ...queries: Query[]): TimeSeries =>
  new TimeSeries()
    .title(title)
    .description(about)
    .datasource(DATA_SOURCE)
    .unit(unit)
    .height(HEIGHT)
    .span(WIDTH)
    .targets(targets(queries));

/** One number each, green until it is bad. `badFrom`: the value from which on it is red; `badBelow`: the other way. */
export const number = (
  { title, about, unit }: PanelText,
  bad: { readonly badFrom: number } | { readonly badBelow: number },
  ...queries: Query[]
): Stat =>
  new Stat()
    .title(title)
    .description(about)
    .datasource(DATA_SOURCE)
    .unit(unit)
    .height(4)
    .span(4)
    .thresholds(
      new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(
        'badFrom' in bad
          ? [
              { value: null, color: 'green' },
              { value: bad.badFrom, color: 'red' },
            ]
          : [
              { value: null, color: 'red' },
              { value: bad.badBelow, color: 'green' },
            ],
      ),
    )
    .targets(targets(queries));

/** One bar for each series, as it is now. */
export const bars = ({ title, about, unit }: PanelText, ...queries: Query[]): BarGauge =>
  new BarGauge()
    .title(title)
    .description(about)
    .datasource(DATA_SOURCE)
    .unit(unit)
    .height(HEIGHT)
    .span(WIDTH)
    .targets(targets(queries));
