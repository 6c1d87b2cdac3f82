import type { RunPort } from '../../../api/jobs/ports';
import type { StoredRunEvent } from '../../../db/job-run-reads';
import type { JobRunRecord } from '../../../db/job-run-record';

export const RUN = '0193a5b0-0000-7000-8000-000000000001';

export const aRun = (given: Partial<JobRunRecord> = {}): JobRunRecord => ({
  runId: RUN,
  jobName: 'example',
  workflowId: `job/example/${given.runId ?? RUN}`,
  state: 'running',
  origin: 'api',
  scheduleId: null,
  nominalAt: null,
  requestedBy: 'operator',
  requestedAt: '2026-05-01T12:00:00.000000Z',
  startedAt: '2026-05-01T12:00:01.000Z',
  finishedAt: null,
  step: 'run',
  attempt: 1,
  progress: null,
  failure: null,
  skippedFor: null,
  cancel: null,
  input: {},
  result: null,
  released: false,
  heartbeatAt: new Date().toISOString(),
  ...given,
});

export const aFinishedRun = (given: Partial<JobRunRecord> = {}): JobRunRecord =>
  aRun({ state: 'succeeded', finishedAt: '2026-05-01T12:00:05.000Z', released: true, ...given });

export interface RunsInMemory extends RunPort {
  /** As they are now; tests change them as workers would. */
  readonly rows: Map<string, JobRunRecord>;
  readonly story: StoredRunEvent[];
  /** Adds to the story of every run. */
  tell(kind: StoredRunEvent['kind'], data: StoredRunEvent['data']): void;
}

/** Runs as plain objects: what is ordered waits until the test says otherwise. */
export function runsInMemory(...runs: readonly JobRunRecord[]): RunsInMemory {
  const rows = new Map(runs.map((run) => [run.runId, run]));
  const story: StoredRunEvent[] = [];
  return {
    rows,
    story,
    tell: (kind, data) => {
      story.push({ seq: story.length + 1, at: '2026-05-01T12:00:02.000Z', kind, data });
    },
    order: ({ runId, jobName, workflowId, input, actor }) => {
      const run = aRun({
        ...{ runId, jobName, workflowId, input, requestedBy: actor.user },
        ...{ state: 'waiting', startedAt: null, heartbeatAt: null, step: null, attempt: 0 },
      });
      rows.set(runId, run);
      return Promise.resolve({ outcome: 'accepted', run, repeated: false });
    },
    cancel: () => Promise.reject(new Error('not expected')),
    terminate: () => Promise.reject(new Error('not expected')),
    list: ({ limit }) => Promise.resolve([...rows.values()].slice(0, limit)),
    find: (runId) => Promise.resolve(rows.get(runId) ?? null),
    known: (runIds) => Promise.resolve(new Set(runIds.filter((runId) => rows.has(runId)))),
    events: (_runId, afterSeq, limit) => Promise.resolve(story.filter(({ seq }) => seq > afterSeq).slice(0, limit)),
    evidence: () => Promise.resolve([]),
    settle: () => Promise.reject(new Error('not expected')),
    closedAs: () => Promise.resolve(null),
    workersOf: () => Promise.resolve(1),
    openWorkflows: () => Promise.resolve([]),
  };
}
