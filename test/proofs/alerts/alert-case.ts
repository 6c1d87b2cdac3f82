/**
 * Series by name, with labels or without: values in Prometheus' notation, one each minute. One value is that of two replicas
 * (`instance` api-0 and api-1), two are of each by itself; a series that names its `instance` is taken as it is.
 */
export type Series = Readonly<Record<string, string | readonly [string, string]>>;

/** Figures under which an alert is to fire at a moment, or to be quiet. */
export interface AlertCase {
  readonly alert: string;
  readonly series: Series;
  readonly fires: boolean;
  readonly atMinute: number;
  /** Of the alert beside those that its rule sets. */
  readonly labels?: Readonly<Record<string, string>>;
  /** The summary as people read it; without it, only whether it fires is looked at. */
  readonly says?: string;
  /** A value of each series, and a look at the rules, each so many minutes; for what takes days. Default 1. */
  readonly everyMinutes?: number;
}
