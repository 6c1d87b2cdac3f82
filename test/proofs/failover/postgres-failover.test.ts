import { randomUUID } from 'node:crypto';
import type { DrillReport } from '../../../drills/drill';
import { DrillRefused } from '../../../drills/drill';
import type { FailoverScenario } from '../../../drills/postgres/acts';
import { onNode } from '../../../drills/postgres/node';
import { startPostgresLaboratory, type PostgresLaboratory } from '../../../local/failover/laboratory';
import { runPostgresFailoverHere } from '../../../local/failover/postgres-failover-here';
import { metric, sleep } from '../../e2e/support';
import { eventually } from '../../support/servers';

/** For whoever reads the run: figures of this machine. */
const measured = (line: string): void => void process.stderr.write(`${line}\n`);

// The API on a primary and a standby of its own behind HAProxy and PgBouncer; commits wait for the standby.

let laboratory: PostgresLaboratory;
beforeAll(async () => {
  laboratory = await startPostgresLaboratory({ synchronous: true });
  await laboratory.system.start('api');
}, 180_000);
afterAll(() => laboratory.stop(), 60_000);

const drill = (scenario: FailoverScenario): Promise<DrillReport> =>
  runPostgresFailoverHere(laboratory, {
    ...{ scenario, synchronous: true, runId: randomUUID() },
    ...{ signal: new AbortController().signal, onStep: () => undefined },
  });
const told = ({ verdict, faults }: DrillReport) => ({ verdict, faults });

/** People who read and write through the API all the time; what each request came to. */
async function whileTheApiIsUsed(
  story: () => Promise<void>,
): Promise<{ statuses: Record<string, number>; longestMs: number }> {
  const { system } = laboratory;
  const token = await system.signIn('admin');
  const statuses: Record<string, number> = {};
  let longestMs = 0;
  let over = false;
  let etag: string | null = null;
  const use = async (method: string, path: string, body?: object): Promise<void> => {
    const began = performance.now();
    const answer = await fetch(`${system.apiUrl}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        ...(method === 'PUT' && etag !== null ? { 'if-match': etag } : {}),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }).then(
      (response) => {
        if (method === 'PUT') etag = response.headers.get('etag') ?? etag;
        return `${method} ${String(response.status)}`;
      },
      (error: unknown) => `${method} ${String(error)}`,
    );
    longestMs = Math.max(longestMs, performance.now() - began);
    statuses[answer] = (statuses[answer] ?? 0) + 1;
  };
  const goOn = async (request: () => Promise<void>): Promise<void> => {
    while (!over) {
      await request();
      await sleep(20);
    }
  };
  let limit = 100;
  await use('PUT', '/api/feeders/proof', { importLimitKw: limit, exportLimitKw: 100 });
  // Nobody runs its loop here: one that is late would be an incident.
  await onNode(laboratory.pair.primary().login, (client) => client.query('update feeders set enabled = false'));
  await eventually(async () => {
    expect(await metric(`${system.apiUrl}/metrics`, 'derms_control_loop_ok')).toBeUndefined();
  });
  const people = Promise.all([
    goOn(() => use('GET', '/api/feeders')),
    goOn(() => use('PUT', '/api/feeders/proof', { importLimitKw: (limit += 1), exportLimitKw: 100 })),
  ]);
  try {
    await story();
  } finally {
    over = true;
    await people;
  }
  return { statuses, longestMs };
}

describe('a planned switchover', () => {
  it('lasts at most a second, loses nothing, and nobody who uses the API sees an error', async () => {
    let report: DrillReport | undefined;
    const { statuses, longestMs } = await whileTheApiIsUsed(async () => {
      report = await drill('planned');
    });
    measured(JSON.stringify({ gapMs: report?.canary.writes.gapMs, longestMs: Math.round(longestMs), statuses }));
    expect(told(report!)).toEqual({ verdict: 'passed', faults: [] });
    expect(report!.canary).toMatchObject({ lost: 0, staleReads: 0, writes: { failed: 0 }, reads: { failed: 0 } });
    expect(Object.keys(statuses).filter((status) => !/ 20[01]$/.test(status))).toEqual([]);
    expect(Object.values(statuses).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(50);
  }, 120_000);
});

describe.each(['crash', 'hung'] as const)('a primary that is lost: %s', (scenario) => {
  it('is replaced within its budget with the alert seen and cleared, and comes back as a standby', async () => {
    const report = await drill(scenario);
    measured(JSON.stringify({ scenario, canary: report.canary, gauge: report.gauge, figures: report.figures }));
    expect(told(report)).toEqual({ verdict: 'passed', faults: [] });
    expect(report.canary.lost).toBe(0);
    expect(report.gauge).toMatchObject({
      name: 'derms_db_up',
      downAt: expect.any(String),
      upAgainAt: expect.any(String),
    });
    expect(report.findings.map(({ what, holds }) => [what, holds])).toEqual([
      ['the old primary takes no write', true],
      ['the old primary streams from the new one', true],
      ['the old primary, a standby now, takes no write', true],
    ]);
    expect(report.figures['peakNewConnectionsPerSecond']).toBeLessThanOrEqual(20);
  }, 180_000);
});

describe('what a drill leaves', () => {
  it('is on the metrics page', async () => {
    const url = `${laboratory.system.apiUrl}/metrics`;
    await eventually(async () => {
      expect(await metric(url, 'derms_drill_last_passed', { drill: 'postgres-failover' })).toBe(1);
    });
    expect(await metric(url, 'derms_drill_last_gap_seconds', { drill: 'postgres-failover' })).toBeGreaterThan(0.5);
    expect(await metric(url, 'derms_drill_last_timestamp_seconds', { drill: 'mqtt-failover' })).toBe(0);
  });

  it('is nothing when it was refused: the primary is who it was', async () => {
    const before = laboratory.pair.primary().name;
    laboratory.system.stack.mosquitto.suspend();
    try {
      await eventually(async () => {
        expect(await metric(`${laboratory.system.apiUrl}/metrics`, 'derms_mqtt_up')).toBe(0);
      }, 30_000);
      await expect(drill('crash')).rejects.toThrow(DrillRefused);
    } finally {
      laboratory.system.stack.mosquitto.resume();
    }
    expect(laboratory.pair.primary().name).toBe(before);
  }, 60_000);
});
