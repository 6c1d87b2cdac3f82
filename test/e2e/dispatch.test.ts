import { Client, Connection } from '@temporalio/client';
import type { Database } from '../../db/pool';
import type { TestSystem } from '../../local/test-system';
import { controlLoopId, dispatchWorkflowId, SUPERVISOR_SCHEDULE_ID } from '../../workflows/messages';
import { eventually } from '../support/servers';
import { apiAs, closeListeners, databaseOf, listenToSetpoints, meterKw, sleep, startDemo } from './support';

/** Household load changes between two meter readings; nobody controls that. */
const TOLERANCE = 1.02;
const ELM_STREET_KW = 150;
const DISPATCH_KW = 80;

let system: TestSystem;
let db: Database;
let operator: Awaited<ReturnType<typeof apiAs>>;

beforeAll(async () => {
  system = await startDemo();
  db = databaseOf(system);
  operator = await apiAs(system, 'operator');
}, 60_000);
afterEach(closeListeners);
afterAll(async () => {
  await db.close();
  await system.stop();
}, 30_000);

const post = (path: string, body: unknown, key: string = crypto.randomUUID()) =>
  operator('POST', path, body, { 'idempotency-key': key });

it('holds a feeder that wants twice its limit at its limit, and uses what the limit gives', async () => {
  await eventually(
    async () => expect(await meterKw(db, 'elm-street')).toBeGreaterThan(0.9 * ELM_STREET_KW),
    60_000,
    250,
  );
  await sleep(35_000); // the fleet has settled, and the window below holds nothing of its start
  const { rows } = await db.query<{
    feeder_id: string;
    most: number;
    least: number;
    import_limit_kw: number;
    export_limit_kw: number;
  }>(
    `select feeder_id, max(flow_kw) as most, min(flow_kw) as least, import_limit_kw, export_limit_kw
       from meter_readings join feeders using (feeder_id) where sampled_at > now() - interval '15 s' group by 1, 4, 5 order by 1`,
  );
  expect(rows).toHaveLength(6);
  for (const feeder of rows) {
    expect([feeder.feeder_id, feeder.most <= feeder.import_limit_kw * TOLERANCE]).toEqual([feeder.feeder_id, true]);
    expect([feeder.feeder_id, feeder.least >= -feeder.export_limit_kw * TOLERANCE]).toEqual([feeder.feeder_id, true]);
  }
}, 120_000);

it('lowers the metered power below a dispatch’s limit while it lasts, lets it come back after its end, and reports', async () => {
  const { seen } = await listenToSetpoints(system);
  await eventually(() => expect(seen.length).toBeGreaterThan(0));
  const endsAtMs = Date.now() + 30_000;
  const { status, headers, body } = await post('/api/dispatches', {
    feederId: 'elm-street',
    importLimitKw: DISPATCH_KW,
    endsAt: new Date(endsAtMs).toISOString(),
    reason: 'transformer runs hot',
  });
  const acceptedAtMs = Date.now();
  expect(status).toBe(202);
  const dispatchId = String(body['dispatchId']);
  expect(headers.get('location')).toBe(`/api/dispatches/${dispatchId}`);

  await eventually(
    () => expect(seen.some(({ receivedAtMs, retained }) => !retained && receivedAtMs >= acceptedAtMs - 100)).toBe(true),
    3_000,
    10,
  );
  await eventually(
    async () => expect(await meterKw(db, 'elm-street')).toBeLessThanOrEqual(DISPATCH_KW * TOLERANCE),
    20_000,
    250,
  );
  expect((await operator('GET', '/api/feeders/elm-street')).body).toMatchObject({
    limitsInForce: { high: { kw: DISPATCH_KW, source: { kind: 'dispatch', dispatchId } } },
  });

  await eventually(
    async () => expect((await operator('GET', `/api/dispatches/${dispatchId}`)).body['state']).toBe('completed'),
    45_000,
    250,
  );
  expect(Date.now() - endsAtMs).toBeLessThan(6_000);
  await eventually(
    async () => expect(await meterKw(db, 'elm-street')).toBeGreaterThan(0.9 * ELM_STREET_KW),
    45_000,
    250,
  );
  const ended = (await operator('GET', `/api/dispatches/${dispatchId}`)).body;
  expect((ended['history'] as { state: string }[]).map(({ state }) => state)).toEqual([
    'scheduled',
    'active',
    'completed',
  ]);
  const { rows } = await db.query<{ report: { measuredSeconds: number; baselineKw: number; meanKw: number } }>(
    'select report from dispatches where dispatch_id = $1',
    [dispatchId],
  );
  expect(rows[0]?.report.measuredSeconds).toBeGreaterThan(20);
  expect(rows[0]?.report.baselineKw).toBeGreaterThan(0.9 * ELM_STREET_KW);
  expect(rows[0]?.report.meanKw).toBeLessThan(rows[0]!.report.baselineKw);
}, 150_000);

it('answers a cancel when it has taken effect', async () => {
  const { body } = await post('/api/dispatches', {
    feederId: 'market-square',
    importLimitKw: 60,
    endsAt: new Date(Date.now() + 600_000).toISOString(),
    reason: 'a drill',
  });
  const path = `/api/dispatches/${String(body['dispatchId'])}`;
  await eventually(async () => expect((await operator('GET', path)).body['state']).toBe('active'));
  const cancelled = await post(`${path}/cancel`, { reason: 'the drill is over' });
  expect(cancelled).toMatchObject({ status: 200, body: { state: 'cancelled' } });
  expect((await operator('GET', '/api/feeders/market-square')).body).toMatchObject({
    limitsInForce: { high: { kw: 160, source: { kind: 'static' } } },
  });
  expect((await post(`${path}/cancel`, { reason: 'again' })).status).toBe(409);
}, 60_000);

it('gives the same answer to the same request again, and refuses another one with the same key', async () => {
  const request = {
    feederId: 'mill-road',
    importLimitKw: 100,
    endsAt: new Date(Date.now() + 60_000).toISOString(),
    reason: 'twice',
  };
  const first = await post('/api/dispatches', request, 'pressed-twice');
  const again = await post('/api/dispatches', request, 'pressed-twice');
  expect(again.body['dispatchId']).toBe(first.body['dispatchId']);
  expect((await post('/api/dispatches', { ...request, importLimitKw: 90 }, 'pressed-twice')).status).toBe(422);
  await post(`/api/dispatches/${String(first.body['dispatchId'])}/cancel`, { reason: 'done' });
});

it.each`
  why                           | change                                | pointer
  ${'it ends before it starts'} | ${{ endsAt: '2020-01-01T00:00:00Z' }} | ${'/endsAt'}
  ${'a time has no zone'}       | ${{ endsAt: '2030-01-01T00:00:00' }}  | ${'/endsAt'}
  ${'a limit is negative'}      | ${{ importLimitKw: -1 }}              | ${'/importLimitKw'}
  ${'it is longer than a week'} | ${{ endsAt: '2099-01-01T00:00:00Z' }} | ${'/endsAt'}
  ${'the feeder is unknown'}    | ${{ feederId: 'nowhere' }}            | ${'/feederId'}
  ${'it has an unknown field'}  | ${{ importLimitKW: 5 }}               | ${'/importLimitKW'}
`(
  'refuses a dispatch because $why, and points at the field',
  async ({ change, pointer }: { change: object; pointer: string }) => {
    const { status, body } = await post('/api/dispatches', {
      feederId: 'elm-street',
      importLimitKw: 100,
      endsAt: new Date(Date.now() + 60_000).toISOString(),
      reason: 'trying',
      ...change,
    });
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(500);
    expect((body['errors'] as { pointer: string }[]).map((fault) => fault.pointer)).toContain(pointer);
  },
);

it('lowers the flow in the next cycle when an admin lowers the limit', async () => {
  const admin = await apiAs(system, 'admin');
  const { headers } = await admin('GET', '/api/feeders/market-square');
  const patched = await admin(
    'PATCH',
    '/api/feeders/market-square',
    { importLimitKw: 70 },
    { 'if-match': headers.get('etag')! },
  );
  expect(patched.status).toBe(200);
  await eventually(
    async () => expect(await meterKw(db, 'market-square')).toBeLessThanOrEqual(70 * TOLERANCE),
    20_000,
    250,
  );
  expect(
    (await admin('PATCH', '/api/feeders/market-square', { importLimitKw: 160 }, { 'if-match': headers.get('etag')! }))
      .status,
  ).toBe(412);
}, 60_000);

describe('in Temporal UI, without our code', () => {
  let client: Client;
  beforeAll(async () => {
    const { address, namespace } = system.stack.temporal;
    client = new Client({ connection: await Connection.connect({ address }), namespace });
  });
  afterAll(() => client.connection.close());

  const workflowIds = async (query: string): Promise<string[]> => {
    const found: string[] = [];
    for await (const run of client.workflow.list({ query })) found.push(run.workflowId);
    return found;
  };

  it('there is one control loop per root, found by its feeder', async () => {
    const running = await workflowIds('WorkflowType = "controlLoop" and ExecutionStatus = "Running"');
    expect(running.sort()).toEqual([controlLoopId('substation-north'), controlLoopId('substation-south')]);
    expect(await workflowIds('DermsFeederId = "substation-south" and WorkflowType = "controlLoop"')).toContain(
      controlLoopId('substation-south'),
    );
  });

  it('each publishing cycle has a line that says limit, flow, setpoints and what bound', async () => {
    const { events } = await client.workflow.getHandle(controlLoopId('substation-north')).fetchHistory();
    const summaries = (events ?? [])
      .filter((event) => event.activityTaskScheduledEventAttributes?.activityType?.name === 'publishSetpoints')
      .map((event) => Buffer.from(event.userMetadata?.summary?.data ?? []).toString());
    expect(summaries.length).toBeGreaterThan(0);
    for (const summary of summaries)
      expect(summary).toMatch(/^"cycle \d+: ~?-?[\d.]+ of -?[\d.]+ kW, \d+ setpoints?(, .*)?"$/);
    expect(summaries.some((summary) => summary.includes('bound by elm-street'))).toBe(true);
  });

  it('a dispatch says who asked and why, and the API links to it', async () => {
    const { body } = await operator('GET', '/api/dispatches?feederId=elm-street');
    const [dispatch] = body['items'] as { dispatchId: string; temporalUrl: string }[];
    expect(dispatch!.temporalUrl).toContain(encodeURIComponent(dispatchWorkflowId(dispatch!.dispatchId)));
    const { events } = await client.workflow.getHandle(dispatchWorkflowId(dispatch!.dispatchId)).fetchHistory();
    const lines = (events ?? []).map((event) => Buffer.from(event.userMetadata?.summary?.data ?? []).toString());
    expect(lines.some((line) => line.includes('asked by operator: transformer runs hot'))).toBe(true);
  });

  it('the supervisor has its schedule', async () => {
    const { info } = await client.schedule.getHandle(SUPERVISOR_SCHEDULE_ID).describe();
    expect(info.numActionsTaken).toBeGreaterThan(0);
  });
});
