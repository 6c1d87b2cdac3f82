import { parse, stringify } from 'yaml';
import { jobScheduleId, SUPERVISOR_SCHEDULE_ID } from '../../domain/workflow-ids';
import { DEPLOYMENT_KINDS, inDeployment, type JobAlert, type JobCatalogue, type JobDeclaration } from './declaration';
import { promiseText } from './promise-text';

const HEAD = `# All alerts and recording rules: the one file that a Prometheus loads. Written by \`npm run docs:alerts\` from rules/*.yml
# beside it and from the declarations in jobs/; change them there.
# Where the runbooks are served: set \`runbooks\` among global.external_labels of Prometheus. Without it links are paths
# of the repository.
groups:
`;
const RUNBOOKS = '{{ or $externalLabels.runbooks "docs/runbooks" }}';

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: { readonly summary: string; readonly runbook_url: string };
}

export interface RuleGroup {
  readonly name: string;
  readonly rules: readonly AlertRule[];
}

/**
 * The text of deploy/prometheus/alerts.yml.
 *
 * @param handWritten texts of deploy/prometheus/rules/*.yml, each with nothing but comments before its `groups:`.
 */
export function alertRulesFile(jobs: JobCatalogue, handWritten: readonly string[]): string {
  const ofJobs = stringify({ groups: alertGroups(jobs) }, { lineWidth: 0, singleQuote: true });
  return HEAD + [...handWritten, `# Of jobs, from their declarations.\n${ofJobs}`].map(withoutKey).join('');
}

const OPERATOR_HEAD = `# What deploy/prometheus/alerts.yml says, for the Prometheus operator. Written by \`npm run docs:alerts\`, never by hand.
`;

/** The text of deploy/k8s/overlays/prod/prometheus-rules.yaml, from that of deploy/prometheus/alerts.yml. */
export const prometheusRuleFile = (rulesFile: string): string =>
  OPERATOR_HEAD +
  stringify(
    {
      apiVersion: 'monitoring.coreos.com/v1',
      kind: 'PrometheusRule',
      metadata: { name: 'derms', labels: { 'app.kubernetes.io/name': 'derms' } },
      spec: parse(rulesFile) as { groups: RuleGroup[] },
    },
    { lineWidth: 0, singleQuote: true },
  );

/** What stands under `groups:`, under the comment that stood before it. */
function withoutKey(text: string): string {
  const [head = '', groups] = text.split(/^groups:\n/m);
  if (groups === undefined) throw new Error(`a file of rules without a line \`groups:\`: ${head.slice(0, 80)}`);
  return `${head.replace(/^(?=.)/gm, '  ')}${groups}`;
}

/** A group for each job, and one for what holds for all of them. */
export const alertGroups = (jobs: JobCatalogue): RuleGroup[] => [
  ...[...jobs.values()].map((job) => ({ name: `job-${job.name}`, rules: rulesOf(job) })),
  { name: 'schedules', rules: [supervisorMissed, unaccounted, waiting] },
];

function rulesOf(job: JobDeclaration): AlertRule[] {
  const promise = promiseText(job);
  return [
    ...(promise === null ? [] : [notFresh(job, promise)]),
    ...(hasSchedule(job) ? [missedTicks(job)] : []),
    failed(job),
    ...(job.alerts ?? []).map((alert) => declared(job, alert)),
  ];
}

const hasSchedule = ({ schedule }: JobDeclaration): boolean =>
  DEPLOYMENT_KINDS.some((kind) => inDeployment(schedule, kind) !== null);

/** Replicas read the same rows; one that cannot read them says less than another that can. */
const notFresh = (job: JobDeclaration, promise: string): AlertRule => ({
  alert: 'DermsJobNotFresh',
  expr: `max by (job) (derms_job_fresh{job="${job.name}"}) == 0`,
  for: '10m',
  labels: { severity: 'critical', job: job.name },
  annotations: annotate(`${job.name} breaks its promise: ${promise}.`, job.runbook),
});

const missedTicks = ({ name }: JobDeclaration): AlertRule => ({
  alert: 'DermsJobMissedTicks',
  expr: missedIn(jobScheduleId(name)),
  labels: { severity: 'warning', job: name },
  annotations: annotate(
    `Runs of ${name} that were not started in time: {{ $value | printf "%.0f" }}.`,
    'alerts/job-missed-ticks.md',
  ),
});

const failed = ({ name, runbook }: JobDeclaration): AlertRule => ({
  alert: 'DermsJobFailed',
  expr: `max by (job) (increase(derms_job_runs_total{job="${name}",outcome=~"failed|terminated"}[1h])) > 0`,
  labels: { severity: 'warning', job: name },
  annotations: annotate(`A run of ${name} has failed in the last hour.`, runbook),
});

const declared = ({ name: job, runbook }: JobDeclaration, alert: JobAlert): AlertRule => ({
  alert: alert.name,
  expr: alert.expr,
  for: alert.holdsFor,
  labels: { severity: alert.severity, job },
  annotations: annotate(alert.summary, runbook),
});

const supervisorMissed: AlertRule = {
  alert: 'DermsSupervisorMissedTicks',
  expr: missedIn(SUPERVISOR_SCHEDULE_ID),
  labels: { severity: 'warning' },
  annotations: annotate(
    'The supervisor of the control loops has not done its work at its ticks; missed: {{ $value | printf "%.0f" }}.',
    'alerts/supervisor-missed-ticks.md',
  ),
};

const unaccounted: AlertRule = {
  alert: 'DermsTicksUnaccounted',
  expr: 'max by (schedule) (derms_schedule_ticks_unaccounted) > 0',
  for: '15m',
  labels: { severity: 'warning' },
  annotations: annotate('Nobody knows what became of ticks of {{ $labels.schedule }}.', 'alerts/ticks-unaccounted.md'),
};

const waiting: AlertRule = {
  alert: 'DermsJobRunsWait',
  expr: 'max by (queue) (derms_job_queue_oldest_waiting_seconds) > 1800',
  for: '5m',
  labels: { severity: 'warning' },
  annotations: annotate(
    'Runs wait for a worker of queue {{ $labels.queue }} for {{ $value | humanizeDuration }}.',
    'alerts/job-runs-wait.md',
  ),
};

/** What the hourly audit has found shows for longer than the time between two audits. */
function missedIn(scheduleId: string): string {
  return `max by (schedule) (increase(derms_schedule_missed_ticks_total{schedule="${scheduleId}"}[90m])) > 0`;
}

function annotate(summary: string, runbook: string): AlertRule['annotations'] {
  return { summary, runbook_url: `${RUNBOOKS}/${runbook}` };
}
