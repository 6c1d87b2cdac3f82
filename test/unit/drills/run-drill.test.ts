import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DrillRefused, type Drill, type DrillReport } from '../../../drills/drill';
import { runDrill } from '../../../drills/run-drill';

const CALM = `
derms_db_up 1
derms_mqtt_up 1
derms_temporal_up 1
derms_emergency_stop 0
derms_quarantined 0
`;

let page = CALM;
let server: Server;
beforeAll(async () => {
  server = createServer((_request, response) => response.end(page)).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
beforeEach(() => {
  page = CALM;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

/** A drill whose act does as it is told; what was asked of it, and what was recorded. */
function drillThat(act: Drill['act'], given: Partial<Drill> = {}) {
  const asked: string[] = [];
  const records: DrillReport[] = [];
  const run = new AbortController();
  const drill: Drill = {
    ...{ name: 'mqtt-failover', scenario: 'crash', hypothesis: '', blastRadius: '' },
    budget: { gapMs: 60_000, errors: 0, lost: 0, recoveryMs: 10_000 },
    gauge: { name: 'derms_mqtt_up', expected: 'stays-up' },
    canary: {
      ...{ write: () => Promise.resolve(), read: null, missing: () => Promise.resolve([]), everyMs: 5 },
      enough: { writes: 2, withinMs: 10_000 },
      close: async () => void asked.push('close'),
    },
    act: (tools) => {
      asked.push('act');
      return act(tools);
    },
    aftermath: () => Promise.resolve([]),
    recover: async () => void asked.push('recover'),
    ...given,
  };
  const done = runDrill(
    drill,
    {
      metricsUrl: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/metrics`,
      guardFacts: () => Promise.resolve({ deployment: 'staging', allowedInProduction: false, liveDispatches: [] }),
      record: async (report) => void records.push(report),
    },
    { runId: 'r-1', signal: run.signal, onStep: () => undefined },
  );
  return { asked, records, run, done };
}

describe('a drill', () => {
  it('that goes through is recorded, and undoes nothing', async () => {
    const { done, asked, records } = drillThat(() => Promise.resolve());
    expect(await done).toMatchObject({ verdict: 'passed', faults: [] });
    expect(asked).toEqual(['act', 'close']);
    expect(records).toHaveLength(1);
  });

  it('whose act fails undoes what that may have left, and is over for that reason', async () => {
    const { done, asked, records } = drillThat(() => Promise.reject(new Error('nobody was promoted')));
    await expect(done).rejects.toThrow('nobody was promoted');
    expect(asked).toEqual(['act', 'recover', 'close']);
    expect(records).toEqual([]);
  });

  it('whose aftermath fails undoes it, too', async () => {
    const { done, asked } = drillThat(() => Promise.resolve(), {
      aftermath: () => Promise.reject(new Error('the broker does not come back')),
    });
    await expect(done).rejects.toThrow('the broker does not come back');
    expect(asked).toEqual(['act', 'recover', 'close']);
  });

  it('that is cancelled in the midst of its act undoes it', async () => {
    const { done, asked, run } = drillThat(
      ({ signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            reject(new Error('cancelled'));
          });
          run.abort();
        }),
    );
    await expect(done).rejects.toThrow('cancelled');
    expect(asked).toEqual(['act', 'recover', 'close']);
  });

  it('that must not begin touches nothing', async () => {
    page = CALM.replace('derms_temporal_up 1', 'derms_temporal_up 0');
    const { done, asked } = drillThat(() => Promise.resolve());
    await expect(done).rejects.toThrow(DrillRefused);
    expect(asked).toEqual(['close']);
  });

  it('whose canary cannot write before anything was done is refused, not failed', async () => {
    const { done, asked } = drillThat(() => Promise.resolve(), {
      canary: {
        ...{ write: () => Promise.reject(new Error('no')), read: null, missing: () => Promise.resolve([]), everyMs: 5 },
        ...{ enough: { writes: 1, withinMs: 200 }, close: () => Promise.resolve() },
      },
    });
    await expect(done).rejects.toThrow(DrillRefused);
    expect(asked).toEqual([]);
  });
});
