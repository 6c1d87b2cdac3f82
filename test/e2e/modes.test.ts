import type { Database } from '../../db/pool';
import type { TestSystem } from '../../local/test-system';
import { eventually } from '../support/servers';
import { apiAs, databaseOf, meterKw, sleep, startDemo } from './support';

let system: TestSystem;
let db: Database;
let admin: Awaited<ReturnType<typeof apiAs>>;

beforeAll(async () => {
  system = await startDemo();
  db = databaseOf(system);
  admin = await apiAs(system, 'admin');
  await eventually(async () => expect(await meterKw(db, 'elm-street')).toBeGreaterThan(100), 60_000, 250);
}, 120_000);
afterAll(async () => {
  await db.close();
  await system.stop();
}, 30_000);

const loop = '/api/feeders/substation-north/control-loop';
const setpointsSince = async (since: Date): Promise<number> => {
  const { rows } = await db.query<{ count: string }>(
    "select count(*) from setpoints where root_feeder_id = 'substation-north' and planned_at > $1",
    [since],
  );
  return Number(rows[0]?.count);
};
const now = async (): Promise<Date> => (await db.query<{ now: Date }>('select now()')).rows[0]!.now;

describe('manual mode', () => {
  it('publishes no change that nobody has approved, and then exactly the plan that was', async () => {
    expect((await admin('POST', `${loop}/mode`, { mode: 'manual' })).status).toBe(200);
    await eventually(async () => expect((await admin('GET', loop)).body).toMatchObject({ mode: 'manual' }));
    await sleep(1_000); // what was being published when the mode changed
    const since = await now();
    const feeder = await admin('GET', '/api/feeders/elm-street');
    await admin('PATCH', '/api/feeders/elm-street', { importLimitKw: 90 }, { 'if-match': feeder.headers.get('etag')! });

    await sleep(6_000); // more than one cycle: the plan for the new limit is proposed, and is not published
    const proposal = (await admin('GET', loop)).body['proposal'] as { planId: string };
    expect(await setpointsSince(since)).toBe(0);
    expect(await meterKw(db, 'elm-street')).toBeGreaterThan(90);

    expect((await admin('POST', `${loop}/approve`, { planId: crypto.randomUUID() })).status).toBe(404);
    expect((await admin('POST', `${loop}/approve`, { planId: proposal.planId })).status).toBe(200);
    await eventually(async () => expect(await setpointsSince(since)).toBeGreaterThan(0), 10_000);
    await eventually(
      async () => {
        await approveWhatWaits(); // households change meanwhile, and the rest of the relief is proposed anew
        expect(await meterKw(db, 'elm-street')).toBeLessThanOrEqual(90 * 1.02);
      },
      20_000,
      250,
    );
  }, 90_000);
});

async function approveWhatWaits(): Promise<void> {
  const { proposal } = (await admin('GET', loop)).body as { proposal: { planId: string; approvedAt: string | null } };
  if (proposal.approvedAt === null) await admin('POST', `${loop}/approve`, { planId: proposal.planId });
}

describe('disabled mode', () => {
  it('sends every device to its default once, and nothing after that', async () => {
    expect((await admin('POST', `${loop}/mode`, { mode: 'disabled' })).status).toBe(200);
    await eventually(async () => {
      const { rows } = await db.query<{ moved: string }>(
        `select count(*) as moved from devices join device_control using (device_key) join feeders using (feeder_id)
          where root_id = 'substation-north' and device_type = 'ev' and acknowledged_kw <> 0`,
      );
      expect(rows[0]?.moved).toBe('0');
    }, 20_000);
    const since = await now();
    await sleep(11_000);
    expect(await setpointsSince(since)).toBe(0);
  }, 60_000);
});

describe('a loop that is stopped', () => {
  it('ends, is named by health, and is no longer judged; started again it plans at once', async () => {
    expect((await admin('POST', `${loop}/mode`, { mode: 'automatic' })).status).toBe(200);
    expect((await admin('POST', `${loop}/stop`)).status).toBe(200);
    await eventually(async () => {
      const health = (await (await fetch(`${system.apiUrl}/api/health`)).json()) as {
        feeders: { feederId: string; loop: string }[];
      };
      expect(health.feeders.find(({ feederId }) => feederId === 'substation-north')?.loop).toBe('disabled');
    }, 20_000);
    await eventually(async () => expect((await admin('POST', `${loop}/wake`)).status).toBe(409), 20_000, 250);
    const { rows: before } = await db.query<{ chain_id: string }>(
      "select chain_id from control_loops where root_feeder_id = 'substation-north'",
    );

    expect((await admin('POST', `${loop}/start`)).status).toBe(200);
    await eventually(async () => {
      const { rows } = await db.query<{ chain_id: string; fresh: boolean }>(
        "select chain_id, finished_at > now() - interval '6 s' as fresh from control_loops where root_feeder_id = 'substation-north'",
      );
      expect(rows[0]?.chain_id).not.toBe(before[0]?.chain_id);
      expect(rows[0]?.fresh).toBe(true);
    }, 20_000);
  }, 60_000);
});

it('a loop that is stopped and started in one breath is not left standing', async () => {
  expect((await admin('POST', `${loop}/stop`)).status).toBe(200);
  expect((await admin('POST', `${loop}/start`)).status).toBe(200);
  const since = await now();
  await eventually(async () => {
    const { rows } = await db.query<{ runs: boolean }>(
      "select finished_at > $1::timestamptz + interval '6 s' as runs from control_loops where root_feeder_id = 'substation-north'",
      [since],
    );
    expect(rows[0]?.runs).toBe(true);
  }, 15_000);
}, 60_000);

it('refuses what the role may not do', async () => {
  const viewer = await apiAs(system, 'viewer');
  const operator = await apiAs(system, 'operator');
  expect((await viewer('POST', `${loop}/wake`)).status).toBe(403);
  expect((await operator('POST', `${loop}/stop`)).status).toBe(403);
  expect((await operator('POST', `${loop}/wake`)).status).toBe(202);
});
