/** A page of metrics as Prometheus reads it. */
export interface MetricsPage {
  /** The series of a name added up; undefined where there is none. */
  sum(name: string): number | undefined;
  /** The least of the series of a name; undefined where there is none. */
  least(name: string): number | undefined;
  /** The labels' text of each series of a name that has this value: `feeder="feeder-a"`. */
  having(name: string, value: number): readonly string[];
}

const LINE = /^(\w+)(?:\{(.*)\})? (\S+)$/;

export function parseMetricsPage(text: string): MetricsPage {
  const series = text.split('\n').flatMap((line) => {
    const [, name, labels = '', value] = LINE.exec(line) ?? [];
    return name === undefined ? [] : [{ name, labels, value: Number(value) }];
  });
  const of = (name: string) => series.filter((entry) => entry.name === name);
  return {
    sum(name) {
      const found = of(name);
      return found.length === 0 ? undefined : found.reduce((total, { value }) => total + value, 0);
    },
    least(name) {
      const found = of(name);
      return found.length === 0 ? undefined : Math.min(...found.map(({ value }) => value));
    },
    having: (name, value) =>
      of(name)
        .filter((entry) => entry.value === value)
        .map(({ labels }) => labels),
  };
}

/** @throws when the page cannot be had in time, or is none. */
export async function readMetricsPage(url: string, withinMs = 2_000): Promise<MetricsPage> {
  const response = await fetch(url, { signal: AbortSignal.timeout(withinMs) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url} answers ${String(response.status)}`);
  return parseMetricsPage(text);
}
