import {
  DEPLOYMENT_KINDS,
  inDeployment,
  type JobCatalogue,
  type JobDeclaration,
  type JobSchedule,
} from './declaration';
import { byKind, promiseText } from './promise-text';

const HEAD = `# Jobs

What runs by itself or when somebody asks, each declared in one file of \`jobs/\`. Times are UTC. \`JOB_SCHEDULES\` sets other times,
or \`off\`; \`JOB_FRESHNESS_HOURS\` other promises. A tick that could not start runs late within its catch-up window; after that it is missed, counted, and has an alert.

Written by \`npm run docs:jobs\` from the declarations, as are the alerts of jobs in \`deploy/prometheus/alerts.yml\`.

| Job | For | Runs | At a time | Promise | When it breaks |
| --- | --- | --- | --- | --- | --- |
`;

/** The text of docs/jobs.md. */
export function jobsPage(jobs: JobCatalogue): string {
  const rows = [...jobs.values()].map(rowOf);
  return `${HEAD}${rows.join('\n')}\n\n${[...jobs.values()].map(sectionOf).join('\n')}`;
}

const rowOf = (job: JobDeclaration): string =>
  `| ${[
    `[\`${job.name}\`](#${job.name})`,
    job.purpose,
    byKind((kind) => timesOf(inDeployment(job.schedule, kind))),
    job.concurrency === 'unlimited' ? 'any number' : String(job.concurrency.atMost),
    promiseText(job) ?? '(none)',
    `[${job.runbook}](runbooks/${job.runbook})`,
  ]
    .map((cell) => cell.replaceAll('|', '\\|'))
    .join(' | ')} |`;

/** Steps, and what a schedule does when it cannot do as it says. */
function sectionOf(job: JobDeclaration): string {
  const steps = job.steps.map(
    ({ name, attemptSeconds, attempts }) =>
      `- \`${name}\`: at most ${inWords(attemptSeconds)}, ${attempts === 1 ? 'one attempt' : `${String(attempts)} attempts`}`,
  );
  const schedules = DEPLOYMENT_KINDS.map((kind) => inDeployment(job.schedule, kind)).filter(
    (schedule) => schedule !== null,
  );
  const careful = [...new Set(schedules.map(carefulness))];
  return `## ${job.name}\n\n${[...careful, 'Steps:'].join('\n\n')}\n\n${steps.join('\n')}\n`;
}

const carefulness = ({ overlap, catchUpSeconds }: JobSchedule): string =>
  `While the run before it goes on, a tick ${overlap === 'skip' ? 'is skipped' : 'waits for its turn, one at most'}; it is caught up within ${inWords(catchUpSeconds)}.`;

const timesOf = (schedule: JobSchedule | null): string => (schedule === null ? 'when asked' : `\`${schedule.cron}\``);

function inWords(seconds: number): string {
  const [amount, unit] =
    seconds % 3_600 === 0 ? [seconds / 3_600, 'h'] : seconds % 60 === 0 ? [seconds / 60, 'min'] : [seconds, 's'];
  return `${String(amount)} ${unit}`;
}
