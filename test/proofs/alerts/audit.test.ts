import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { repositoryRoot } from '../../../local/toolchain';
import { promtool } from './promtool';

const RULES = join(repositoryRoot(), 'deploy/prometheus/audit.yml');
const folder = mkdtempSync(join(tmpdir(), 'derms-alerts-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

interface Case {
  readonly alert: string;
  /** A value each minute, of two replicas. */
  readonly series: readonly (readonly [string, string])[];
  readonly fires: boolean;
  readonly atMinute: number;
}

const CASES: readonly Case[] = [
  { alert: 'DermsAuditNotSealed', series: lag('0 60+60x30'), fires: true, atMinute: 10 },
  { alert: 'DermsAuditNotSealed', series: lag('0 2 1 0 2 1 2 1 0 1 2 1'), fires: false, atMinute: 10 },
  // Head signed at 0: two hours and five minutes later nobody has signed another.
  { alert: 'DermsAuditNotSigned', series: head('0x300'), fires: true, atMinute: 130 },
  { alert: 'DermsAuditNotSigned', series: head('0+60x300'), fires: false, atMinute: 130 },
  { alert: 'DermsAuditNotWritten', series: failures('0x5 3x30'), fires: true, atMinute: 10 },
  { alert: 'DermsAuditNotWritten', series: failures('7x40'), fires: false, atMinute: 30 },
];

function lag(values: string): Case['series'] {
  return [['derms_audit_sealed_lag_seconds', values]];
}
function head(values: string): Case['series'] {
  return [['derms_audit_head_timestamp_seconds', values]];
}
function failures(values: string): Case['series'] {
  return [['derms_audit_failures_total', values]];
}

it('the alerts of the audit log are rules', async () => {
  expect(await promtool('check', 'rules', RULES)).toContain('SUCCESS');
});

it.each(CASES)('$alert fires: $fires', async ({ alert, series, fires, atMinute }) => {
  const file = join(folder, 'rules.test.yml');
  writeFileSync(
    file,
    stringify({
      rule_files: [RULES],
      evaluation_interval: '1m',
      tests: [
        {
          interval: '1m',
          input_series: series.flatMap(([name, values]) =>
            [0, 1].map((replica) => ({ series: `${name}{instance="api-${String(replica)}"}`, values })),
          ),
          promql_expr_test: [
            {
              expr: `count(ALERTS{alertname="${alert}",alertstate="firing"}) or vector(0)`,
              eval_time: `${String(atMinute)}m`,
              exp_samples: [{ labels: '{}', value: fires ? 1 : 0 }],
            },
          ],
        },
      ],
    }),
  );
  expect(await promtool('test', 'rules', file)).toContain('SUCCESS');
});
