import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { promtool } from './promtool';

export interface AlertCase {
  readonly alert: string;
  /** Names with their labels, and a value each minute, of two replicas alike. */
  readonly series: readonly (readonly [string, string])[];
  readonly fires: boolean;
  readonly atMinute: number;
}

/** Rejects with what Prometheus' own tool says when the alert fires and shall not, or the other way round. */
export async function checkFiring(rules: string, { alert, series, fires, atMinute }: AlertCase): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'derms-alerts-'));
  const file = join(folder, 'rules.test.yml');
  const test = {
    interval: '1m',
    input_series: series.flatMap(([name, values]) =>
      [0, 1].map((replica) => ({ series: withReplica(name, replica), values })),
    ),
    promql_expr_test: [
      {
        expr: `count(ALERTS{alertname="${alert}",alertstate="firing"}) or vector(0)`,
        eval_time: `${String(atMinute)}m`,
        exp_samples: [{ labels: '{}', value: fires ? 1 : 0 }],
      },
    ],
  };
  writeFileSync(file, stringify({ rule_files: [rules], evaluation_interval: '1m', tests: [test] }));
  try {
    await promtool('test', 'rules', file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function withReplica(name: string, replica: number): string {
  const instance = `instance="process-${String(replica)}"`;
  return name.endsWith('}') ? `${name.slice(0, -1)},${instance}}` : `${name}{${instance}}`;
}
