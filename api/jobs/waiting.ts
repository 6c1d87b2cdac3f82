import type { StoredRunEvent } from '../../db/job-run-reads';
import type { JobRunRecord } from '../../db/job-run-record';
import type { JobDeclaration } from '../../jobs/runner/declaration';
import { TASK_QUEUES } from '../../workflows/messages';
import type { AppPorts } from '../ports';

export interface WaitingFor {
  /** `worker`: nobody takes steps from the queue; `turn`: those who do are busy, or it has just been asked for. */
  readonly what: 'worker' | 'turn';
  readonly queue: string;
  readonly since: string;
  /** null when Temporal cannot say. */
  readonly workers: number | null;
}

/** A worker that has said nothing for this long does not work on the run, ms. */
const SILENT_MS = 10_000;

/** What a run that does not go on waits for; null while it goes on, or when it is over. */
export async function waitingFor(
  { jobs, runs }: Pick<AppPorts, 'jobs' | 'runs'>,
  run: JobRunRecord,
  story: readonly StoredRunEvent[],
  nowMs: number,
): Promise<WaitingFor | null> {
  if (run.finishedAt !== null) return null;
  const since = run.heartbeatAt ?? run.requestedAt;
  if (run.state === 'running' && nowMs - Date.parse(since) < SILENT_MS) return null;
  const queue =
    run.state === 'waiting' ? TASK_QUEUES.jobs : nextQueue(jobs.declared.get(run.jobName), run.input, doneOf(story));
  const workers = await runs.workersOf(queue);
  if (workers === 0) return { what: 'worker', queue, since, workers };
  return run.state === 'waiting' ? { what: 'turn', queue, since, workers } : null;
}

/** The queue that takes the first step that is not done. */
export function nextQueue(job: JobDeclaration | undefined, input: unknown, done: readonly string[]): string {
  const next = job?.steps.find(({ name }) => !done.includes(name));
  const read = next?.queue === undefined ? undefined : job?.input.safeParse(input);
  return (read?.success === true ? next?.queue?.(read.data) : undefined) ?? TASK_QUEUES.jobs;
}

const doneOf = (story: readonly StoredRunEvent[]): string[] =>
  story
    .filter(({ kind, data }) => kind === 'step' && data['what'] === 'succeeded')
    .map(({ data }) => String(data['step']));
