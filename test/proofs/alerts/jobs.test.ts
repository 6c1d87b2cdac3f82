import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { alertGroups, type AlertRule } from '../../../jobs/runner/alert-rules';
import { loadJobs } from '../../../jobs/runner/load-jobs';
import { repositoryRoot } from '../../../local/toolchain';
import { promtool } from './promtool';

// By Prometheus' own tool: the rules are read, fire when they are to, and are quiet when they are not.

const RULES = join(repositoryRoot(), 'deploy/prometheus/jobs.yml');
const rules = alertGroups(loadJobs()).flatMap((group) => group.rules);
const folder = mkdtempSync(join(tmpdir(), 'derms-alerts-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

interface Series {
  readonly series: string;
  /** In Prometheus' notation, a value each minute. */
  readonly values: string;
}

/** The rule of each kind, with figures under which it is to fire at the given minute, and others under which it is not. */
interface Case {
  readonly fires: readonly Series[];
  readonly quiet: readonly Series[];
  readonly atMinute: number;
  /** Labels of the series that come with the alert. */
  readonly labels: Readonly<Record<string, string>>;
}

const twoReplicas = (name: string, labels: string, values: readonly [string, string]): Series[] =>
  values.map((value, index) => ({ series: `${name}{${labels}instance="api-${String(index)}"}`, values: value }));

function caseOf({ alert, labels: { job = '' }, expr }: AlertRule): Case {
  const schedule = /schedule="([\w-]+)"/.exec(expr)?.[1] ?? 'job-any';
  switch (alert) {
    case 'DermsJobNotFresh':
      return {
        fires: twoReplicas('derms_job_fresh', `job="${job}",`, ['1x5 0x40', '1x5 0x40']),
        // One replica that cannot read the database says 0; the other knows better.
        quiet: twoReplicas('derms_job_fresh', `job="${job}",`, ['0x45', '1x45']),
        atMinute: 20,
        labels: { job },
      };
    case 'DermsJobFailed':
      return {
        fires: twoReplicas('derms_job_runs_total', `job="${job}",outcome="failed",`, ['3x10 4x60', '3x10 4x60']),
        quiet: [
          ...twoReplicas('derms_job_runs_total', `job="${job}",outcome="failed",`, ['3x70', '3x70']),
          ...twoReplicas('derms_job_runs_total', `job="${job}",outcome="succeeded",`, ['1+1x70', '1+1x70']),
        ],
        atMinute: 15,
        labels: { job },
      };
    case 'DermsJobMissedTicks':
    case 'DermsSupervisorMissedTicks': {
      const name = 'derms_schedule_missed_ticks_total';
      return {
        fires: twoReplicas(name, `schedule="${schedule}",`, ['0x30 2x60', '0x30 2x60']),
        // What was missed long ago is over.
        quiet: twoReplicas(name, `schedule="${schedule}",`, ['7x90', '7x90']),
        atMinute: 60,
        labels: { schedule },
      };
    }
    case 'DermsTicksUnaccounted':
      return {
        fires: twoReplicas('derms_schedule_ticks_unaccounted', 'schedule="job-any",', ['0x5 3x60', '0x5 3x60']),
        quiet: twoReplicas('derms_schedule_ticks_unaccounted', 'schedule="job-any",', ['0x65', '0x65']),
        atMinute: 30,
        labels: { schedule },
      };
    case 'DermsJobRunsWait':
      return {
        fires: twoReplicas('derms_job_queue_oldest_waiting_seconds', 'queue="jobs",', ['0+60x80', '0+60x80']),
        quiet: twoReplicas('derms_job_queue_oldest_waiting_seconds', 'queue="jobs",', ['0+20x80', '0+20x80']),
        atMinute: 60,
        labels: { queue: 'jobs' },
      };
    case 'DermsWalNotArchived':
      return {
        fires: archivedAt('derms_wal_last_archived_timestamp_seconds{', '0x60'),
        quiet: archivedAt('derms_wal_last_archived_timestamp_seconds{', '0+60x60'),
        atMinute: 45,
        labels: {},
      };
    case 'DermsBaseBackupOld':
      return {
        fires: archivedAt('derms_backup_last_verified_timestamp_seconds{kind="base",', '0x11600'),
        quiet: archivedAt('derms_backup_last_verified_timestamp_seconds{kind="base",', '0x5 518400x11600'),
        atMinute: 11_540,
        labels: {},
      };
    default:
      throw new Error(`${alert} is tried by nobody: give it a case`);
  }
}

/** Where the log is archived; a replica that cannot read the database says 0 of all. */
const archivedAt = (metric: string, values: string): Series[] => [
  ...twoReplicas('derms_wal_archiving', '', ['1x11600', '0x11600']),
  { series: `${metric}instance="api-0"}`, values },
  { series: `${metric}instance="api-1"}`, values: '0x11600' },
];

const tryRule = async (rule: AlertRule, series: readonly Series[], alerts: readonly object[]): Promise<string> => {
  const { atMinute } = caseOf(rule);
  const file = join(folder, 'rules.test.yml');
  writeFileSync(
    file,
    stringify({
      rule_files: [RULES],
      evaluation_interval: '1m',
      tests: [
        {
          interval: '1m',
          external_labels: { runbooks: 'https://runbooks.example' },
          input_series: series,
          alert_rule_test: [{ eval_time: `${String(atMinute)}m`, alertname: rule.alert, exp_alerts: alerts }],
        },
      ],
    }),
  );
  return promtool('test', 'rules', file);
};

/** As Prometheus fills them in. */
const filledIn = (
  { annotations }: AlertRule,
  labels: Readonly<Record<string, string>>,
  value: string,
  duration: string,
) => ({
  summary: annotations.summary
    .replace('{{ $value | printf "%.0f" }}', value)
    .replace('{{ $value | humanizeDuration }}', duration)
    .replace(/\{\{ \$labels\.(\w+) \}\}/, (_, name: string) => labels[name] ?? ''),
  runbook_url: annotations.runbook_url.replace(/\{\{.*\}\}/, 'https://runbooks.example'),
});

describe('the alert rules of jobs', () => {
  it('are rules', async () => {
    expect(await promtool('check', 'rules', RULES)).toContain('SUCCESS');
  });

  it.each(rules.map((rule) => [`${rule.alert} ${rule.labels['job'] ?? ''}`, rule] as const))(
    '%s fires, with its words and its runbook, and is quiet otherwise',
    async (_name, rule) => {
      const { fires, quiet, labels } = caseOf(rule);
      const expected = {
        exp_labels: { ...labels, ...rule.labels },
        exp_annotations: filledIn(rule, labels, '2', '1h 0m 0s'),
      };
      expect(await tryRule(rule, fires, [expected])).toContain('SUCCESS');
      expect(await tryRule(rule, quiet, [])).toContain('SUCCESS');
    },
  );
});
