import { DrillRefused, type DrillReport } from '../../../drills/drill';
import type { JobContext } from '../../../jobs/runner/context';
import { inDeployment } from '../../../jobs/runner/declaration';
import type { DrillPort } from '../../../jobs/runner/ports';
import { job } from '../../../jobs/postgres-failover-drill';

interface World {
  readonly asked: string[];
  readonly evidence: object[];
}

/** One attempt of the job on a drill that ends as it is told. */
function attempt(port: Partial<DrillPort> | string, more: Partial<JobContext> = {}) {
  const world: World = { asked: [], evidence: [] };
  const drill =
    typeof port === 'string'
      ? port
      : {
          recover: async () => void world.asked.push('recover'),
          run: async () => Promise.reject(new Error('not told')),
          ...port,
        };
  const context = {
    ...{ runId: 'r-1', attempt: 1, signal: new AbortController().signal, log: { info: () => undefined } },
    progress: () => undefined,
    evidence: async (_kind: string, data: object) => void world.evidence.push(data),
    ports: { drills: { 'postgres-failover': drill } },
    ...more,
  } as unknown as JobContext; // what the job asks for
  const done = job.steps[0]!.run(job.input.parse({}), context);
  return { world, done };
}

const report = (verdict: 'passed' | 'failed', faults: string[] = []): DrillReport =>
  ({ verdict, faults }) as unknown as DrillReport; // the job hands the rest on

describe('a drill as a job', () => {
  it('runs by itself once a month, and in staging only', () => {
    expect(inDeployment(job.schedule, 'staging')).toMatchObject({ cron: '10 10 1 * *' });
    expect(inDeployment(job.schedule, 'production')).toBeNull();
    expect(inDeployment(job.schedule, 'development')).toBeNull();
    expect(inDeployment(job.freshness, 'production')).toBeNull();
  });

  it('is a planned one unless somebody asks for another', async () => {
    const asked: string[] = [];
    const { done } = attempt({
      run: async ({ scenario }) => {
        asked.push(scenario);
        return report('passed');
      },
    });
    await done;
    expect(asked).toEqual(['planned']);
    expect(job.input.safeParse({ scenario: 'earthquake' }).success).toBe(false);
  });

  it('leaves its report as evidence also when it has failed, and fails with every fault', async () => {
    const failed = report('failed', ['the gap was 6000 ms', 'derms_db_up is 0']);
    const { done, world } = attempt({ run: async () => failed });
    await expect(done).rejects.toMatchObject({
      code: 'DRILL_FAILED',
      message: 'the gap was 6000 ms; derms_db_up is 0',
      retryable: false,
    });
    expect(world.evidence).toEqual([failed]);
  });

  it('is skipped with the reasons when it is refused', async () => {
    const { done } = attempt({ run: () => Promise.reject(new DrillRefused(['a dispatch is under way'])) });
    await expect(done).rejects.toMatchObject({
      name: 'JobSkipped',
      message: 'the drill is refused: a dispatch is under way',
      exception: null, // the promise goes on
    });
  });

  it('is skipped where it is not configured, says how to turn it on, and promises nothing there', async () => {
    await expect(attempt('POSTGRES_DRILL_NODES is not set').done).rejects.toMatchObject({
      name: 'JobSkipped',
      message: 'POSTGRES_DRILL_NODES is not set. How to turn the drill on: docs/runbooks/postgres-failover-drill.md',
      exception: 'not-configured',
    });
    expect(inDeployment(job.freshness, 'staging')?.exceptions).toEqual({
      'not-configured': { when: 'it is not configured', promise: null },
    });
  });

  it('is never repeated: a second attempt undoes what the first may have left, and fails', async () => {
    const { done, world } = attempt({}, { attempt: 2 });
    await expect(done).rejects.toMatchObject({ code: 'DRILL_INTERRUPTED' });
    expect(world.asked).toEqual(['recover']);
  });
});
