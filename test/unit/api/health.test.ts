import { registerAuthMetrics } from '../../../api/health/auth-metrics';
import { watchBrokerPair } from '../../../api/health/broker-pair';
import { registerHealthMetrics } from '../../../api/health/metrics';
import {
  createHealthMonitor,
  type FleetSample,
  type HealthMonitor,
  type MonitorProbes,
} from '../../../api/health/monitor';
import { healthReport } from '../../../api/health/report';
import { keepSampling, type SampleResult } from '../../../api/health/sampling';
import { createApiMetrics } from '../../../api/metrics';
import { createLogger } from '../../../observability/logger';
import { Registry } from '../../../observability/metrics';
import { registerSecretMetrics, watchSecrets } from '../../../api/health/secret-watch';
import { aUser, authenticationOf, startApp, UNREVOKED } from './app-under-test';

const log = createLogger({ service: 'derms', role: 'test', level: 'silent', pretty: false });
const CONTROLLING = { quarantined: false };
const hang = (): Promise<never> => new Promise(() => undefined);

const aFleet = (given: Partial<FleetSample> = {}): FleetSample => ({
  loops: [
    { rootFeederId: 'north', mode: 'automatic', intervalSeconds: 10, enabled: true, last: lastCycle(4) },
    { rootFeederId: 'south', mode: 'manual', intervalSeconds: 20, enabled: true, last: lastCycle(59) },
    { rootFeederId: 'stopped', mode: 'automatic', intervalSeconds: 10, enabled: false, last: lastCycle(9_999) },
  ],
  counts: [
    { feederId: 'north', rootFeederId: 'north', total: 5, online: 5, stale: 0, offline: 0, notFollowing: 0 },
    { feederId: 'south', rootFeederId: 'south', total: 5, online: 5, stale: 0, offline: 0, notFollowing: 0 },
  ],
  offline: [],
  quarantine: null,
  emergencyStop: null,
  ...given,
});
const lastCycle = (finishedAgeSeconds: number | null) => ({
  chainId: 'c',
  chainStartedAt: '',
  cycle: 1,
  planId: null,
  tickAt: null,
  plannedAt: null,
  finishedAt: null,
  finishedAgeSeconds,
  finishedCycle: null,
  missedTicks: 0,
  onTimeTicks: 0,
  lateTicks: 0,
  tickAgeSeconds: null,
  nodes: [],
});

let monitor: HealthMonitor | undefined;
let nowMs = 0;
afterEach(() => {
  monitor?.stop();
});

const watch = async (
  given: Partial<MonitorProbes['dependencies']> & Partial<Omit<MonitorProbes, 'dependencies'>> = {},
) => {
  const ok = () => Promise.resolve();
  monitor = createHealthMonitor(
    {
      dependencies: { database: given.database ?? ok, broker: given.broker ?? ok, temporal: given.temporal ?? ok },
      fleet: given.fleet ?? (() => Promise.resolve(aFleet())),
      schemaFault: given.schemaFault ?? (() => Promise.resolve(null)),
    },
    { log, monotonicMs: () => nowMs, now: () => new Date('2026-05-01T12:00:00Z') },
  );
  await monitor.start();
  return monitor;
};
const figures = async (watched: HealthMonitor): Promise<string[]> => {
  const registry = new Registry();
  registerHealthMetrics(registry, watched);
  return (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
};

describe('health', () => {
  it('is ok while everything answers and every loop is in time', async () => {
    const report = healthReport(await watch(), CONTROLLING);
    expect([report.status, report.problems]).toEqual(['ok', []]);
    expect(report.feeders.map(({ feederId, loop }) => [feederId, loop])).toEqual([
      ['north', 'ok'],
      ['south', 'ok'],
      ['stopped', 'disabled'],
    ]);
  });

  it('names the feeder whose loop is late: three intervals, or 30 s where intervals are short', async () => {
    const watched = await watch();
    nowMs += 2_000; // south: 61 s of 60; north: 6 s of 30
    const report = healthReport(watched, CONTROLLING);
    expect([report.status, report.problems]).toEqual([
      'degraded',
      ['the control loop of south is late: the last cycle finished 61 s ago'],
    ]);
  });

  it('names offline devices and where they hang', async () => {
    const fleet = aFleet({
      counts: [
        { feederId: 'feeder-a', rootFeederId: 'north', total: 9, online: 4, stale: 1, offline: 4, notFollowing: 2 },
      ],
      offline: ['ev-1', 'ev-2', 'ev-3', 'ev-4'].map((deviceId) => ({ rootFeederId: 'north', deviceId })),
    });
    const report = healthReport(await watch({ fleet: () => Promise.resolve(fleet) }), CONTROLLING);
    expect(report.problems).toEqual(['4 offline below north: ev-1, ev-2, ev-3 and 1 more']);
    expect(report.feeders[0]).toMatchObject({
      offlineDeviceCount: 4,
      offlineDevices: ['ev-1', 'ev-2', 'ev-3', 'ev-4'],
      staleDeviceCount: 1,
      notFollowingDeviceCount: 2,
    });
  });

  it('says which dependency does not answer, and since when', async () => {
    const watched = await watch({ broker: () => Promise.reject(new Error('connect ECONNREFUSED')) });
    const report = healthReport(watched, CONTROLLING);
    expect(report.problems).toEqual(['the MQTT broker does not answer: connect ECONNREFUSED']);
    expect(report.dependencies.broker).toEqual({
      up: false,
      since: '2026-05-01T12:00:00.000Z',
      reason: 'connect ECONNREFUSED',
    });
  });

  it('names the broker of a pair that is away while the other serves everybody, and neither when both are', async () => {
    const pair = { primary: true, standby: true };
    const { problems } = watchBrokerPair(
      (['primary', 'standby'] as const).map((place) => ({
        place,
        connection: {
          get connected() {
            return pair[place];
          },
        },
      })),
    );
    expect(problems()).toEqual([]);
    pair.standby = false;
    expect(problems()).toEqual(['the standby MQTT broker does not answer: the loss of the other is an outage']);
    pair.primary = false;
    expect(problems()).toEqual([]);
  });

  it('answers at once and 200 while everything hangs', async () => {
    const watched = await watch({ database: hang, broker: hang, temporal: hang, fleet: hang, schemaFault: hang });
    const app = await startApp({ health: watched });
    const startedAt = performance.now();
    const { status, body } = await app.call('GET', '/api/health');
    expect(performance.now() - startedAt).toBeLessThan(1_500); // what hangs takes 2 s to be given up
    await app.close();
    // On a slow machine the next look has begun by now: `still does not answer`.
    const silent = (name: string): unknown =>
      expect.stringMatching(new RegExp(`^${name} does not answer: (no answer within 2000 ms|still does not answer)$`));
    expect([status, body.status, body.problems]).toEqual([
      200,
      'degraded',
      [
        silent('PostgreSQL'),
        silent('the MQTT broker'),
        silent('Temporal'),
        'the state of feeders and devices cannot be read',
      ],
    ]);
  });
});

describe('a quarantined system', () => {
  const fleet = aFleet({ quarantine: { since: '2026-05-01T11:00:00.000Z', reason: 'restored from backup b-1' } });

  it('is degraded, says since when and why, and calls no loop late', async () => {
    const watched = await watch({ fleet: () => Promise.resolve(fleet) });
    nowMs += 5_000;
    const report = healthReport(watched, CONTROLLING);
    expect([report.status, report.quarantined, report.problems]).toEqual([
      'degraded',
      true,
      ['the database is quarantined since 2026-05-01T11:00:00.000Z: restored from backup b-1'],
    ]);
    expect(report.feeders.map(({ loop }) => loop)).toEqual(['quarantined', 'quarantined', 'disabled']);
    expect(await figures(watched)).toContain('derms_quarantined 1');
  });

  it('does not complain of the broker and Temporal in a process that asks neither', async () => {
    const notAsked = () => Promise.reject(new Error('not asked'));
    const watched = await watch({ broker: notAsked, temporal: notAsked });
    expect(healthReport(watched, { quarantined: true }).problems).toEqual([
      'this process is quarantined: it knows no broker and no Temporal, and writes nothing',
    ]);
  });
});

describe('the gauges', () => {
  it('are there from the first scrape', async () => {
    expect(await figures(await watch())).toEqual([
      'derms_db_up 1',
      'derms_mqtt_up 1',
      'derms_temporal_up 1',
      'derms_quarantined 0',
      'derms_emergency_stop 0',
      'derms_control_loop_ok{feeder="north"} 1',
      'derms_control_loop_ok{feeder="south"} 1',
      'derms_control_loop_devices{feeder="north"} 5',
      'derms_control_loop_devices{feeder="south"} 5',
      'derms_control_loop_devices{feeder="stopped"} 0',
      'derms_control_loop_offline_devices{feeder="north"} 0',
      'derms_control_loop_offline_devices{feeder="south"} 0',
      'derms_control_loop_offline_devices{feeder="stopped"} 0',
      'derms_control_loop_stale_devices{feeder="north"} 0',
      'derms_control_loop_stale_devices{feeder="south"} 0',
      'derms_control_loop_stale_devices{feeder="stopped"} 0',
      ...['north', 'south', 'stopped'].flatMap((feeder) =>
        ['on-time', 'late', 'missed'].map(
          (outcome) => `derms_control_ticks_total{feeder="${feeder}",outcome="${outcome}"} 0`,
        ),
      ),
    ]);
  });

  it('count ticks that pass while nobody plans, though the database is away, and never fall', async () => {
    const last = { ...lastCycle(4), onTimeTicks: 90, lateTicks: 2, missedTicks: 3, tickAgeSeconds: 4 };
    const loop = { rootFeederId: 'north', mode: 'automatic' as const, intervalSeconds: 10, enabled: true, last };
    const looks = [() => Promise.resolve(aFleet({ loops: [loop, { ...loop, rootFeederId: 'off', enabled: false }] }))];
    const watched = await watch({ fleet: () => (looks.shift() ?? hang)() });
    const registry = new Registry();
    registerHealthMetrics(registry, watched);
    const missed = async () =>
      (await registry.getSingleMetricAsString('derms_control_ticks_total'))
        .split('\n')
        .filter((line) => /^derms.*missed/.test(line));
    expect(await missed()).toEqual([
      'derms_control_ticks_total{feeder="north",outcome="missed"} 3',
      'derms_control_ticks_total{feeder="off",outcome="missed"} 3',
    ]);
    nowMs += 41_000; // four ticks since, the newest of which may still be served
    expect(await missed()).toEqual([
      'derms_control_ticks_total{feeder="north",outcome="missed"} 6',
      'derms_control_ticks_total{feeder="off",outcome="missed"} 3',
    ]);
    nowMs -= 20_000;
    expect((await missed())[0]).toMatch(/ 6$/);
  });

  it('fall to 0 when the loops cannot be read any more', async () => {
    const looks = [() => Promise.resolve(aFleet())];
    const watched = await watch({ fleet: () => (looks.shift() ?? hang)() });
    nowMs += 10_001;
    expect(await figures(watched)).toEqual(
      expect.arrayContaining(['derms_control_loop_ok{feeder="north"} 0', 'derms_control_loop_ok{feeder="south"} 0']),
    );
  });
});

describe('readiness', () => {
  it('waits for the migrations', async () => {
    const watched = await watch({ schemaFault: () => Promise.resolve('migrations are not applied: 0001_initial') });
    const app = await startApp({ health: watched });
    const { status, body } = await app.call('GET', '/api/ready');
    await app.close();
    expect([status, body]).toEqual([503, { ready: false, missing: 'migrations are not applied: 0001_initial' }]);
  });

  it('stays once it was there, whatever becomes of the database', async () => {
    const answers = [() => Promise.resolve(null)];
    const watched = await watch({
      schemaFault: () => (answers.shift() ?? (() => Promise.reject(new Error('gone'))))(),
    });
    expect(watched.schemaFault()).toBeNull();
  });
});

describe('sampling', () => {
  it('gives up on a look that hangs, begins none beside it, and goes on when it lets go', async () => {
    let letGo: (() => void) | undefined;
    let looks = 0;
    const results: SampleResult<string>[] = [];
    const { first, stop } = keepSampling<string>({
      look: () => {
        looks += 1;
        return looks > 1
          ? Promise.resolve('well')
          : new Promise(
              (resolve) =>
                (letGo = () => {
                  resolve('late');
                }),
            );
      },
      withinMs: 20,
      everyMs: 5,
      onResult: (result) => results.push(result),
    });
    await first;
    expect(results).toEqual([{ ok: false, reason: 'no answer within 20 ms' }]);
    while (results.length < 3) await new Promise((resolve) => setTimeout(resolve, 2));
    expect([looks, results[1]]).toEqual([1, { ok: false, reason: 'still does not answer' }]);
    letGo?.();
    while (!results.some(({ ok }) => ok)) await new Promise((resolve) => setTimeout(resolve, 2));
    stop();
    expect(results.at(-1)).toEqual({ ok: true, value: 'well' });
  });
});

describe('old passwords', () => {
  it('are told by health and metrics, which name nobody', async () => {
    const user = (name: string, passwordSetOn: string) => ({ ...aUser(name, 'viewer', 'x'), passwordSetOn });
    const authentication = authenticationOf({
      users: [user('olga', '2026-01-30'), user('otto', '2026-04-30')],
      now: () => new Date('2026-05-01T12:00:00Z'),
    });
    const registry = new Registry();
    registerAuthMetrics(registry, { authentication, tokenRegister: UNREVOKED });
    const app = await startApp({ authentication, metrics: createApiMetrics(registry) });
    const health = await app.call('GET', '/api/health');
    expect(health.body.problems).toEqual(['1 password of AUTH_USERS is older than 90 days']);
    expect(health.body.status).toBe('degraded');
    const { text } = await app.call('GET', '/metrics');
    expect(text.split('\n').filter((line) => /^derms_auth_(password|token_)/.test(line))).toEqual([
      'derms_auth_password_oldest_age_seconds 7862400',
      'derms_auth_passwords_overdue 1',
      'derms_auth_token_list_age_seconds 0',
    ]);
    expect(`${health.text}${text}`).not.toMatch(/olga|otto/);
    await app.close();
  });
});

describe('old secrets and certificates', () => {
  it('are told by health and metrics as soon as somebody knows of them', async () => {
    const told = [
      { kind: 'secret', name: 'DB_PASSWORD', toldBy: 'jobs-0', madeOn: '2026-01-30', expiresAtMs: null, fault: null },
      { kind: 'secret', name: 'JWT_SECRET', toldBy: 'api-0', madeOn: '2026-04-01', expiresAtMs: null, fault: null },
      { kind: 'secret', name: 'AUTH_USERS', toldBy: 'api-0', madeOn: '2026-01-01', expiresAtMs: null, fault: null },
      { kind: 'certificate', name: 'api', toldBy: 'api-0', madeOn: null, fault: null, expiresAtMs: 0 },
    ] as const;
    const watch = watchSecrets(
      () => Promise.resolve(told),
      () => Date.parse('2026-05-01T12:00:00Z'),
    );
    const registry = new Registry();
    registerSecretMetrics(registry, watch);
    const app = await startApp({ secrets: watch, metrics: createApiMetrics(registry) });
    const figures = async () =>
      (await app.call('GET', '/metrics')).text.split('\n').filter((line) => line.startsWith('derms_secret_'));
    const { body } = await app.call('GET', '/api/health');
    watch.stop();

    expect(body.problems).toEqual([
      'DB_PASSWORD is 91 days old, more than 90', // those of people are told by name of nobody, elsewhere
      'the certificate api of api-0 has run out',
    ]);
    expect(await figures()).toEqual([
      'derms_secret_age_seconds{secret="AUTH_USERS"} 10368000',
      'derms_secret_age_seconds{secret="DB_PASSWORD"} 7862400',
      'derms_secret_age_seconds{secret="JWT_SECRET"} 2592000',
    ]);
    await app.close();
  });

  it('are not known while the database cannot be read, which is no problem of theirs', async () => {
    const watch = watchSecrets(() => Promise.reject(new Error('away')));
    const registry = new Registry();
    registerSecretMetrics(registry, watch);
    watch.stop();

    expect(watch.problems()).toEqual([]);
    expect(await registry.metrics()).toContain('derms_secret_age_seconds{secret="JWT_SECRET"} Nan');
  });
});
