import { randomUUID } from 'node:crypto';
import { createEmergencyStopPort } from '../../../api/emergency-stop/adapter';
import { createRunPort, createSchedulePort, type JobsInTemporal } from '../../../api/jobs/adapters';
import { routes } from '../../../api/routes';
import type { Route } from '../../../api/route';
import { databaseStores } from '../../../api/stores';
import { ROLES, type Role } from '../../../config/auth-users';
import { listAudit, type AuditRow } from '../../../db/audit';
import { imposeQuarantine, storeReconciliation } from '../../../db/quarantine';
import { declareSchedules } from '../../../db/schedules';
import { addEv, addFeeder } from '../../support/fleet-rows';
import { POLICY } from '../../support/policy';
import { DermsError } from '../../../domain/errors';
import { connectAsOwner } from '../audit/owner';
import { createTestDatabase, testLog, type TestDatabase } from '../../support/servers';
import { loadJobs } from '../../../jobs/runner/load-jobs';
import { startApp, type AppUnderTest, type CallOptions } from '../../unit/api/app-under-test';

// Every route that changes something, on real Postgres, against what stands in the audit log afterwards.

const PLAN = '6f9619ff-8b86-4d01-b42d-00cf4fc964ff';
const SCHEDULE = 'job-tick-audit';
const reason = { reason: 'a test' };
const machineToken = { name: 'scraper', scopes: ['read:feeders'], purpose: 'a test', validDays: 1 };
const TOLD = { told: 1, untold: [], missed: [] };

let database: TestDatabase;
let app: AppUnderTest;
const quiet = (): Promise<void> => Promise.resolve();
/** What happens when Temporal is next asked to act. */
let atTheAct = quiet;
beforeAll(async () => {
  database = await createTestDatabase();
  const { db } = database;
  await addFeeder(db, 'north');
  await addEv(db, 'ev-1', 'north', { powerKw: 7 });
  await db.query(
    `insert into proposals (root_feeder_id, plan_id, proposed_at, targets) values ('north', $1, now(), '{"ev-1": 6}')`,
    [PLAN],
  );
  const cron = '17 * * * *';
  await declareSchedules(db, [
    { scheduleId: SCHEDULE, jobName: 'tick-audit', cron, overlap: 'skip', catchUpSeconds: 60 },
  ]);
  const acting = async (): Promise<void> => {
    const now = atTheAct;
    atTheAct = quiet;
    await now();
  };
  const yes = async (): Promise<boolean> => (await acting(), true);
  const workflowId = `${SCHEDULE}-workflow-2026-05-01T12:17:00Z`;
  const inTemporal: JobsInTemporal = {
    queues: {
      workersOf: () => Promise.resolve(1),
      queueState: () => Promise.resolve([]),
      openRuns: () => Promise.resolve([]),
    },
    schedules: { pause: yes, resume: yes, trigger: async () => (await acting(), { workflowId }) },
    closedAs: () => Promise.resolve(null),
  };
  app = await startApp({
    ...databaseStores(db, {
      silence: { staleSeconds: 30, offlineSeconds: 180 },
      defaultIntervalSeconds: 10,
      policy: POLICY,
    }),
    jobs: { declared: loadJobs() },
    runs: createRunPort(db, inTemporal),
    schedules: createSchedulePort(db, inTemporal),
    workflows: {
      ...{ wakeControlLoop: acting, stopControlLoop: quiet, startControlLoop: quiet, startDispatch: quiet },
      ...{ tellDispatch: quiet, startJobRun: quiet, cancelJobRun: quiet, terminateJobRun: quiet },
    },
    emergencyStop: createEmergencyStopPort({
      db,
      broker: {
        stopFleet: () => ({ tell: () => undefined, first: Promise.resolve(TOLD), done: Promise.resolve(TOLD) }),
        clearStop: quiet,
      },
      log: testLog,
    }),
    settings: { confirmCancelWithinMs: 0 },
  });
});
afterAll(async () => {
  await app.close();
  await database.drop();
});

interface Sample {
  readonly path: string;
  readonly options?: CallOptions;
  /** What the entry is to hold besides its action: before and after. */
  readonly told: readonly string[];
  /** Where it is not the route's own. */
  readonly action?: string;
}

const dispatch = () => ({
  body: {
    ...{ feederId: 'north', importLimitKw: 60, reason: 'heat wave' },
    endsAt: new Date(Date.now() + 600_000).toISOString(),
  },
  headers: { 'idempotency-key': randomUUID() },
});
const feeder = { importLimitKw: 50, exportLimitKw: 50 };
const registry = { feeders: [{ feederId: 'south', importLimitKw: 10, exportLimitKw: 10 }] };

/** A request that succeeds, by operation. */
const SAMPLES: Readonly<Record<string, () => Promise<Sample> | Sample>> = {
  putFeeder: () => ({
    ...{ path: '/api/feeders/west', options: { body: feeder }, action: 'feeder.create', told: ['after'] },
  }),
  patchFeeder: async () => ({
    path: '/api/feeders/north',
    options: { body: { importLimitKw: 90 }, headers: { 'if-match': await etagOf('/api/feeders/north') } },
    ...{ action: 'feeder.change', told: ['before', 'after'] },
  }),
  patchDevice: async () => ({
    path: '/api/devices/ev-1',
    options: { body: { weight: 2 }, headers: { 'if-match': await etagOf('/api/devices/ev-1') } },
    ...{ action: 'device.change', told: ['before', 'after'] },
  }),
  setEnvelopes: () => ({
    path: '/api/feeders/north/envelopes/grid',
    options: {
      body: { intervals: [{ startsAt: '2099-01-01T00:00:00Z', endsAt: '2099-01-02T00:00:00Z', importLimitKw: 5 }] },
    },
    told: ['source', 'before', 'after'],
  }),
  wakeControlLoop: () => ({ path: '/api/feeders/north/control-loop/wake', told: [] }),
  setControlMode: () => ({
    ...{ path: '/api/feeders/north/control-loop/mode', options: { body: { mode: 'manual' } } },
    told: ['before', 'after'],
  }),
  setControlInterval: () => ({
    ...{ path: '/api/feeders/north/control-loop/interval', options: { body: { intervalSeconds: 20 } } },
    told: ['before', 'after'],
  }),
  approvePlan: () => ({
    ...{ path: '/api/feeders/north/control-loop/approve', options: { body: { planId: PLAN } }, told: ['planId'] },
  }),
  stopControlLoop: () => ({ path: '/api/feeders/north/control-loop/stop', told: ['before', 'after'] }),
  startControlLoop: () => ({ path: '/api/feeders/north/control-loop/start', told: ['before', 'after'] }),
  requestDispatch: () => ({ path: '/api/dispatches', options: dispatch(), told: ['dispatch'] }),
  cancelDispatch: async () => {
    const { headers } = await app.call('POST', '/api/dispatches', { as: 'admin', ...dispatch() });
    return {
      ...{ path: `${headers.get('location') ?? ''}/cancel`, options: { body: reason } },
      told: ['reason', 'before', 'after'],
    };
  },
  startJobRun: () => ({ path: '/api/jobs/tick-audit/runs', options: { body: {} }, told: ['jobName', 'input'] }),
  cancelRun: async () => ({
    ...{ path: `/api/runs/${await aRun()}/cancel`, options: { body: reason }, told: ['jobName', 'reason', 'state'] },
  }),
  runAgain: async () => {
    const path = `/api/runs/${await aRun()}/run-again`;
    await endRuns();
    return { path, told: ['jobName', 'input', 'againOf'] };
  },
  terminateRun: async () => ({
    ...{ path: `/api/runs/${await aRun()}/terminate`, options: { body: reason }, told: ['jobName', 'reason', 'state'] },
  }),
  pauseSchedule: () => ({ path: `/api/schedules/${SCHEDULE}/pause`, options: { body: reason }, told: ['reason'] }),
  resumeSchedule: () => ({ path: `/api/schedules/${SCHEDULE}/resume`, options: { body: reason }, told: ['reason'] }),
  triggerSchedule: () => ({ path: `/api/schedules/${SCHEDULE}/trigger`, told: ['started'] }),
  applyRegistry: () => ({ path: '/api/registry', options: { body: registry }, told: ['feeders', 'devices', 'prune'] }),
  engageEmergencyStop: () => ({
    ...{ path: '/api/emergency-stop', options: { body: { safeState: 'zero', ...reason } } },
    told: ['safeState', 'reason'],
  }),
  liftEmergencyStop: async () => {
    await app.call('POST', '/api/emergency-stop', { as: 'admin', body: { safeState: 'zero', ...reason } });
    return { path: '/api/emergency-stop?reason=over', told: ['reason', 'safeState', 'engagedAt', 'engagedBy'] };
  },
  issueMachineToken: () => ({
    ...{ path: '/api/auth/machine-tokens', options: { body: machineToken }, told: ['name', 'scopes'] },
  }),
  revokeMachineToken: async () => {
    const { body } = await app.call('POST', '/api/auth/machine-tokens', { as: 'admin', body: machineToken });
    const { tokenId } = body['machineToken'] as { tokenId: string };
    return { path: `/api/auth/machine-tokens/${tokenId}/revoke`, options: { body: reason }, told: ['reason'] };
  },
  revokeTokens: () => ({
    ...{ path: '/api/auth/revocations', options: { body: { ...reason, user: 'viewer' } }, told: ['reason'] },
  }),
  liftQuarantine: async () => {
    const { db } = database;
    await imposeQuarantine(db, { by: 'x', reason: 'y', restoredFrom: 'z', dataAsOf: '2026-05-01T00:00:00Z' });
    await storeReconciliation(db, { by: 'x', applied: true, open: 0, report: {} });
    return { path: '/api/quarantine/lift', options: { body: { reason: 'compared' } }, told: ['reason', 'forced'] };
  },
};

/** What has no success to tell of here: looked at elsewhere, or changes nothing. */
const WITHOUT_SAMPLE = ['login', 'planWhatIf'];

/** What is done outside of Postgres: that it is about to be done stands there before. */
const IN_TEMPORAL = ['wakeControlLoop', 'pauseSchedule', 'resumeSchedule', 'triggerSchedule'];

const etagOf = async (path: string): Promise<string> =>
  (await app.call('GET', path, { as: 'viewer' })).headers.get('etag') ?? '';

/** The job takes one run at a time. */
const endRuns = (): Promise<unknown> =>
  database.db.query(
    `update job_runs set state = 'succeeded', finished_at = now(), released_at = now() where finished_at is null`,
  );

/** One that waits: nobody begins it. */
async function aRun(): Promise<string> {
  await endRuns();
  const { body } = await app.call('POST', '/api/jobs/tick-audit/runs', { as: 'admin', body: {} });
  if (typeof body['runId'] !== 'string') throw new Error(JSON.stringify(body));
  return body['runId'];
}

const newestId = async (): Promise<number> => (await entriesAfter(0))[0]?.id ?? 0;
const entriesAfter = async (id: number): Promise<AuditRow[]> =>
  (await listAudit(database.db, { actor: null, action: null, subject: null, beforeId: null, limit: 500 })).filter(
    (entry) => entry.id > id,
  );

const changing = routes.filter(({ method }) => method !== 'get');
const named = changing.map((route) => [route.operationId, route] as const);
const actionOf = (route: Route): string => route.audit?.action ?? 'none';
const pathOf = ({ path }: Route): string => path.replaceAll(/\{(\w+)\}/g, (_, name: string) => ANY[name] ?? 'x');
const ANY: Readonly<Record<string, string>> = {
  ...{ feederId: 'north', deviceId: 'ev-1', source: 'grid', jobName: 'tick-audit', scheduleId: SCHEDULE },
  ...{ dispatchId: PLAN, runId: PLAN, tokenId: PLAN },
};
const send = (route: Route, path: string, options: CallOptions) => app.call(route.method.toUpperCase(), path, options);

it('there is a sample of every route that changes something', () => {
  expect([...Object.keys(SAMPLES), ...WITHOUT_SAMPLE].sort()).toEqual(
    changing.map(({ operationId }) => operationId).sort(),
  );
});

it.each(named.filter(([name]) => !WITHOUT_SAMPLE.includes(name)))(
  '%s leaves an entry of what was done: who, from where, by which request, before and after',
  async (name, route) => {
    const { path, options, told, action = actionOf(route) } = await SAMPLES[name]!();
    const before = await newestId();
    const { status, headers, body } = await send(route, path, { ...options, as: 'admin' });
    expect([status, body.code]).toEqual([expect.any(Number), undefined]);
    const entries = (await entriesAfter(before)).reverse();
    expect(entries.map(({ outcome }) => outcome)).toEqual(IN_TEMPORAL.includes(name) ? ['intended', 'done'] : ['done']);
    for (const entry of entries)
      expect(entry).toMatchObject({
        ...{ actor: 'admin', role: 'admin', action },
        requestId: headers.get('x-request-id'),
        address: expect.stringContaining('127.0.0.1') as string,
      });
    expect(Object.keys(entries.at(-1)?.detail ?? {})).toEqual(expect.arrayContaining([...told]));
  },
);

describe('what is done in Temporal', () => {
  const acts = named.filter(([name]) => IN_TEMPORAL.includes(name));

  it.each(acts)('%s is written down, and committed, before it is done', async (name) => {
    const { path, options } = await SAMPLES[name]!();
    const before = await newestId();
    let seen: unknown;
    atTheAct = async () => {
      seen = (await entriesAfter(before)).map(({ outcome }) => outcome);
    };
    await app.call('POST', path, { ...options, as: 'admin' });
    expect(seen).toEqual(['intended']);
  });

  it.each(acts)('%s leaves what was meant and that it was refused when Temporal refuses it', async (name) => {
    const { path, options } = await SAMPLES[name]!();
    const before = await newestId();
    atTheAct = () => Promise.reject(new DermsError('TEMPORAL_UNAVAILABLE', 'Temporal does not answer.'));
    expect((await app.call('POST', path, { ...options, as: 'admin' })).status).toBe(503);
    expect((await entriesAfter(before)).reverse().map(({ outcome }) => outcome)).toEqual(['intended', 'refused']);
  });

  it.each(acts)('%s is not done when it cannot be written down', async (name) => {
    const { path, options } = await SAMPLES[name]!();
    let done = false;
    atTheAct = () => {
      done = true;
      return Promise.resolve();
    };
    const owner = await connectAsOwner(database);
    try {
      await owner.query('alter table audit_log rename to audit_log_away');
      expect((await app.call('POST', path, { ...options, as: 'admin' })).status).toBeGreaterThanOrEqual(500);
    } finally {
      await owner.query('alter table audit_log_away rename to audit_log');
      await owner.end();
    }
    expect(done).toBe(false);
  });
});

it.each(named.filter(([, { role }]) => role === 'operator' || role === 'admin'))(
  '%s leaves an entry when the role does not suffice',
  async (_name, route) => {
    const as = ROLES[ROLES.indexOf(route.role as Role) - 1]!; // one below
    const before = await newestId();
    expect((await send(route, pathOf(route), { as, body: {} })).status).toBe(403);
    expect(await entriesAfter(before)).toMatchObject([
      { actor: as, action: actionOf(route), outcome: 'refused', detail: { code: 'FORBIDDEN' } },
    ]);
  },
);

it.each(named.filter(([, { role, body }]) => role !== 'anyone' && body !== undefined))(
  '%s leaves an entry when what was sent is not valid, with the faults and not with what was sent',
  async (_name, route) => {
    const before = await newestId();
    const body = route.operationId === 'startJobRun' ? { planted: 'do-not-keep' } : 'do-not-keep';
    const { status } = await send(route, pathOf(route), { as: 'admin', rawBody: JSON.stringify(body) });
    expect([400, 422]).toContain(status);
    const entries = await entriesAfter(before);
    expect(entries).toMatchObject([{ actor: 'admin', action: actionOf(route), outcome: 'refused' }]);
    expect(JSON.stringify(entries)).not.toContain('do-not-keep');
  },
);

it.each(named.filter(([, { role }]) => role !== 'anyone'))(
  '%s leaves an entry of who came without a token, the second time as a sum',
  async (_name, route) => {
    const before = await newestId();
    for (let attempt = 0; attempt < 3; attempt += 1)
      expect((await send(route, pathOf(route), { body: {} })).status).toBe(401);
    await app.ports.refusals.flush();
    const entries = (await entriesAfter(before)).reverse();
    const refused = { actor: 'anyone', action: actionOf(route), outcome: 'refused' };
    expect(entries).toMatchObject([
      { ...refused, detail: { code: 'UNAUTHENTICATED', attempts: 1 } },
      { ...refused, detail: { code: 'UNAUTHENTICATED', attempts: 2 } },
    ]);
  },
);

it.each([
  ['requestDispatch', '/api/dispatches?validateOnly=true', dispatch],
  ['applyRegistry', '/api/registry?validateOnly=true', () => ({ body: registry })],
])('%s leaves an entry of a dry run', async (name, path, options) => {
  const route = changing.find(({ operationId }) => operationId === name)!;
  const before = await newestId();
  expect((await send(route, path, { ...options(), as: 'admin' })).status).toBe(200);
  expect(await entriesAfter(before)).toMatchObject([{ actor: 'admin', action: actionOf(route), outcome: 'validated' }]);
});

it('reading the audit log leaves an entry when it is refused, exporting it always', async () => {
  const before = await newestId();
  expect((await app.call('GET', '/api/audit', { as: 'operator' })).status).toBe(403);
  expect((await app.call('GET', '/api/audit/export', { as: 'operator' })).status).toBe(403);
  expect((await app.call('GET', '/api/audit/export', { as: 'admin' })).status).toBe(200);
  expect((await entriesAfter(before)).reverse().map(({ action, outcome, actor }) => [action, outcome, actor])).toEqual([
    ['audit.read', 'refused', 'operator'],
    ['audit.export', 'refused', 'operator'],
    ['audit.export', 'done', 'admin'],
  ]);
});

it('the export holds every entry, oldest first, as JSON lines and as CSV', async () => {
  const lines = async (format: string): Promise<string[]> => {
    const { text } = await app.call('GET', `/api/audit/export?format=${format}`, { as: 'admin' });
    return text.trimEnd().split(/\r?\n/);
  };
  const jsonl = (await lines('jsonl')).map((line) => JSON.parse(line) as Record<string, string>);
  const ids = jsonl.map(({ id }) => Number(id));
  expect(ids).toEqual([...ids].sort((a, b) => a - b));
  expect(jsonl.at(-1)).toMatchObject({
    action: 'audit.export',
    detail: '{"to": null, "from": null, "format": "jsonl"}',
  });
  const csv = await lines('csv');
  expect(csv[0]).toBe('id,at,actor,role,action,subject,outcome,requestId,address,detail,writtenIn,position,hash');
  expect(csv).toHaveLength(jsonl.length + 2);
});
