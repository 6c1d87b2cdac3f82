import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, extname, join } from 'node:path';
import { DEPLOYMENT_KINDS, inDeployment, type JobCatalogue, type JobDeclaration } from './declaration';
import { checkSchedule } from './schedules';

/** Every file of `jobs/`; what lies in folders below it are parts that jobs share. */
const FOLDER = join(__dirname, '..');
const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;

/**
 * Every declared job. A new one is a new file: nothing lists them.
 *
 * @throws when a file declares no job, or one that cannot work: a fault of the program, found at start-up.
 */
export function loadJobs(folder = FOLDER): JobCatalogue {
  const load = createRequire(__filename);
  const files = readdirSync(folder).filter((file) => extname(file) === extname(__filename));
  const jobs = files.sort().map((file) => {
    const { job } = load(join(folder, file)) as { job?: JobDeclaration };
    if (job === undefined) throw new Error(`${file} does not export a job`);
    checkJob(job, basename(file, extname(file)));
    return [job.name, job] as const;
  });
  return new Map(jobs);
}

function checkJob(job: JobDeclaration, fileName: string): void {
  const fault = (text: string): Error => new Error(`job ${job.name}: ${text}`);
  if (!NAME.test(job.name) || job.name !== fileName) throw fault(`has to be named as its file, ${fileName}`);
  if (job.steps.length === 0) throw fault('has no steps');
  if (new Set(job.steps.map(({ name }) => name)).size < job.steps.length) throw fault('has two steps of one name');
  for (const deployment of DEPLOYMENT_KINDS) {
    const exceptions = Object.keys(inDeployment(job.freshness, deployment)?.exceptions ?? {});
    if (!exceptions.every((name) => NAME.test(name)))
      throw fault('names an exception in another way than as `large-database`');
    const schedule = inDeployment(job.schedule, deployment);
    if (schedule === null) continue;
    checkSchedule(schedule);
    if (!job.input.safeParse({}).success)
      throw fault('has a schedule, so its input must have a default for every field');
  }
}
