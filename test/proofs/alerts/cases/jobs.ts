import type { AlertCase, Series } from '../alert-case';
import type { AlertRule } from '../rules-file';

interface Tried {
  readonly fires: Series;
  readonly quiet: Series;
  readonly atMinute: number;
  readonly everyMinutes?: number;
  /** Labels of the series that come with the alert. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** What is declared of each job is tried for each job. */
export const jobs = (rules: readonly AlertRule[]): readonly AlertCase[] =>
  rules.flatMap((rule) => {
    const tried = triedOf(rule);
    if (tried === null) return [];
    const { fires, quiet, labels = {}, ...pace } = tried;
    const own = 'job' in rule.labels ? { ...labels, job: rule.labels['job'] ?? '' } : labels;
    const common = { alert: rule.alert, labels: own, ...pace };
    return [
      { ...common, series: fires, fires: true, says: filledIn(rule, own) },
      { ...common, series: quiet, fires: false },
    ];
  });

/** null: of another file of cases. */
function triedOf({ alert, labels: { job = '' }, expr }: AlertRule): Tried | null {
  const schedule = /schedule="([\w-]+)"/.exec(expr)?.[1] ?? 'job-any';
  switch (alert) {
    case 'DermsJobNotFresh': {
      const name = `derms_job_fresh{job="${job}"}`;
      // One replica that cannot read the database says 0; the other knows better.
      return { fires: { [name]: '1x5 0x40' }, quiet: { [name]: ['0x45', '1x45'] }, atMinute: 20 };
    }
    case 'DermsJobFailed': {
      const runs = (outcome: string) => `derms_job_runs_total{job="${job}",outcome="${outcome}"}`;
      const quiet = { [runs('failed')]: '3x70', [runs('succeeded')]: '1+1x70' };
      return { fires: { [runs('failed')]: '3x10 4x60' }, quiet, atMinute: 15 };
    }
    case 'DermsJobMissedTicks':
    case 'DermsSupervisorMissedTicks': {
      const name = `derms_schedule_missed_ticks_total{schedule="${schedule}"}`;
      // What was missed long ago is over.
      return { fires: { [name]: '0x30 2x60' }, quiet: { [name]: '7x90' }, atMinute: 60, labels: { schedule } };
    }
    case 'DermsTicksUnaccounted': {
      const name = `derms_schedule_ticks_unaccounted{schedule="${schedule}"}`;
      return { fires: { [name]: '0x5 3x60' }, quiet: { [name]: '0x65' }, atMinute: 30, labels: { schedule } };
    }
    case 'DermsJobRunsWait': {
      const name = 'derms_job_queue_oldest_waiting_seconds{queue="jobs"}';
      const labels = { queue: 'jobs' };
      return { fires: { [name]: '0+60x80' }, quiet: { [name]: '0+20x80' }, atMinute: 60, labels };
    }
    case 'DermsWalNotArchived': {
      const name = 'derms_wal_last_archived_timestamp_seconds';
      return { fires: archiving(name, '0x60'), quiet: archiving(name, '0+60x60'), atMinute: 45 };
    }
    case 'DermsBaseBackupOld': {
      const name = 'derms_backup_last_verified_timestamp_seconds{kind="base"}';
      const quiet = archiving(name, '0x5 518400x400');
      return { fires: archiving(name, '0x400'), quiet, atMinute: 11_580, everyMinutes: 30 };
    }
    default:
      return null;
  }
}

/** Where the log is archived; a replica that cannot read the database says 0 of all. */
const archiving = (name: string, values: string): Series => ({
  derms_wal_archiving: ['1x400', '0x400'],
  [name]: [values, '0x400'],
});

/** As Prometheus fills them in. */
const filledIn = ({ annotations }: AlertRule, labels: Readonly<Record<string, string>>): string =>
  annotations.summary
    .replace('{{ $value | printf "%.0f" }}', '2')
    .replace('{{ $value | humanizeDuration }}', '1h 0m 0s')
    .replace(/\{\{ \$labels\.(\w+) \}\}/, (_, name: string) => labels[name] ?? '');
