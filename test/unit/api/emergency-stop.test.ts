import { createEmergencyStopPort, type EmergencyStopParts } from '../../../api/emergency-stop/adapter';
import type { EmergencyStopRecord } from '../../../db/emergency-stops';
import type { Database } from '../../../db/pool';
import { DermsError } from '../../../domain/errors';
import { createLogger } from '../../../observability/logger';
import { startApp, type AppUnderTest, type Given } from './app-under-test';

const PATH = '/api/emergency-stop';
const STOP: EmergencyStopRecord = {
  stopId: '11111111-1111-4111-8111-111111111111',
  safeState: 'zero',
  reason: 'people on the line',
  engagedAt: '2026-05-01T12:00:00.000Z',
  engagedBy: 'admin',
  learnedFrom: 'api',
  lifted: null,
};
const LIFTED = { ...STOP, lifted: { at: '2026-05-01T13:00:00.000Z', by: 'admin', reason: 'they are gone' } };
const ENGAGED = {
  stopId: STOP.stopId,
  databaseFailure: null,
  brokerFailure: null,
  devicesTold: 120,
  devicesNotTold: [],
  rootFeederIds: ['north', 'south'],
};
const log = createLogger({ service: 'derms', role: 'test', level: 'silent', pretty: false });

let app: AppUnderTest | undefined;
afterEach(async () => {
  await app?.close();
  app = undefined;
});
const start = async (given: Given): Promise<AppUnderTest> => {
  app = await startApp(given);
  return app;
};
const body = { safeState: 'zero', reason: 'people on the line' };

describe('the emergency stop', () => {
  it('is engaged, wakes the loops, and says what it did', async () => {
    const woken: string[] = [];
    const { call } = await start({
      emergencyStop: { engage: () => Promise.resolve(ENGAGED) },
      workflows: { wakeControlLoop: (id) => Promise.resolve(void woken.push(id)) },
      // Nobody is asked whether the database is quarantined: it may be away.
      quarantine: { inForce: () => Promise.reject(new Error('away')) },
    });
    const { status, body: answered } = await call('POST', PATH, { as: 'admin', body });
    expect(status).toBe(200);
    expect(answered).toEqual({
      ...{ stopId: STOP.stopId, safeState: 'zero', databaseFailure: null, brokerFailure: null },
      ...{ devicesTold: 120, devicesNotTold: [], loopsWoken: 2 },
    });
    expect(woken).toEqual(['north', 'south']);
  });

  it('is in force although Temporal is away', async () => {
    const { call } = await start({
      emergencyStop: { engage: () => Promise.resolve(ENGAGED) },
      workflows: { wakeControlLoop: () => Promise.reject(new DermsError('TEMPORAL_UNAVAILABLE', 'away')) },
    });
    const { status, body: answered } = await call('POST', PATH, { as: 'admin', body });
    expect([status, answered['loopsWoken']]).toEqual([200, 0]);
  });

  it('is read with those before it', async () => {
    const { call } = await start({ emergencyStop: { list: () => Promise.resolve([STOP, LIFTED]) } });
    expect((await call('GET', PATH, { as: 'viewer' })).body).toEqual({ stopped: true, inForce: STOP, past: [LIFTED] });
  });

  it('is lifted with a reason, and the loops hear of it', async () => {
    const woken: string[] = [];
    const { call } = await start({
      emergencyStop: { lift: () => Promise.resolve({ stop: LIFTED, rootFeederIds: ['north'] }) },
      workflows: { wakeControlLoop: (id) => Promise.resolve(void woken.push(id)) },
    });
    const { status, body: answered } = await call('DELETE', `${PATH}?reason=they+are+gone`, { as: 'admin' });
    expect([status, answered]).toEqual([200, LIFTED]);
    expect(woken).toEqual(['north']);
  });

  it.each`
    attempt                   | method      | path    | as            | given                         | status | code
    ${'engaged by operators'} | ${'POST'}   | ${PATH} | ${'operator'} | ${body}                       | ${403} | ${'FORBIDDEN'}
    ${'lifted by operators'}  | ${'DELETE'} | ${PATH} | ${'operator'} | ${undefined}                  | ${403} | ${'FORBIDDEN'}
    ${'lifted unreasoned'}    | ${'DELETE'} | ${PATH} | ${'admin'}    | ${undefined}                  | ${422} | ${'VALIDATION_FAILED'}
    ${'engaged unreasoned'}   | ${'POST'}   | ${PATH} | ${'admin'}    | ${{ safeState: 'zero' }}      | ${422} | ${'VALIDATION_FAILED'}
    ${'to nowhere'}           | ${'POST'}   | ${PATH} | ${'admin'}    | ${{ ...body, safeState: '' }} | ${422} | ${'VALIDATION_FAILED'}
  `('is not $attempt, and the attempt is kept', async ({ method, path, as, given, status, code }) => {
    const { call, attempts } = await start({});
    const options = { as: as as 'admin', ...(given === undefined ? {} : { body: given as unknown }) };
    const answered = await call(method as string, path as string, options);
    expect([answered.status, answered.body.code]).toEqual([status, code]);
    expect(attempts).toMatchObject([{ subject: expect.stringMatching(/^(fleet|-)$/), outcome: 'refused' }]);
  });
});

describe('engaging through Postgres and the broker', () => {
  const away = () => Promise.reject(new DermsError('DATABASE_UNAVAILABLE', 'Postgres is away'));
  const noDatabase = { query: away, transaction: away, close: () => Promise.resolve() } as Database;
  const order = {
    ...({ safeState: 'zero', reason: 'people on the line' } as const),
    actor: { user: 'ann', role: 'admin', requestId: 'r-1', address: '127.0.0.1' },
  };
  const port = (db: Database, first: () => Promise<{ told: number; untold: string[]; missed: string[] }>) => {
    const broker: EmergencyStopParts['broker'] = {
      stopFleet: () => ({ tell: () => undefined, first: first(), done: first() }),
      clearStop: () => Promise.resolve(),
    };
    return createEmergencyStopPort({ db, broker, log });
  };

  it('needs the broker only', async () => {
    const engaged = await port(noDatabase, () => Promise.resolve({ told: 3, untold: ['ev-9'], missed: [] })).engage(
      order,
    );
    expect(engaged).toMatchObject({
      ...{ databaseFailure: 'Postgres is away', brokerFailure: null, devicesTold: 3, devicesNotTold: ['ev-9'] },
      rootFeederIds: [],
    });
  });

  it('does not wait for a database that hangs', async () => {
    const hang = () => new Promise<never>(() => undefined);
    const hung = { query: hang, transaction: hang, close: () => Promise.resolve() } as Database;
    const engaged = await port(hung, () => Promise.resolve({ told: 3, untold: [], missed: [] })).engage(order);
    expect(engaged.databaseFailure).toBe('There was no answer within 3000 ms.');
  });

  it('fails when there is neither, and says that nothing was stopped', async () => {
    const lost = () => Promise.reject(new DermsError('BROKER_UNAVAILABLE', 'the broker is away'));
    await expect(port(noDatabase, lost).engage(order)).rejects.toMatchObject({
      code: 'DATABASE_UNAVAILABLE',
      message: 'Nothing was stopped: Postgres (Postgres is away) and the broker (the broker is away) do not take it.',
    });
  });
});
