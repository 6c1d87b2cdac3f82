import { Readable } from 'node:stream';
import { run } from '../../../cli/run';
import type { EmergencyStopRecord } from '../../../db/emergency-stops';
import { freePort } from '../../../servers/free-port';
import { authenticationOf, aUser, startApp, type AppUnderTest, type Given } from '../api/app-under-test';

const PASSWORD = 'Correct horse battery 9';
const STOP: EmergencyStopRecord = {
  ...{ stopId: '11111111-1111-4111-8111-111111111111', safeState: 'zero', reason: 'people on the line' },
  ...{ engagedAt: '2026-05-01T12:00:00.000Z', engagedBy: 'ann', learnedFrom: 'broker', lifted: null },
};
const LIFTED = { ...STOP, lifted: { at: '2026-05-01T13:00:00.000Z', by: 'olga', reason: 'they are gone' } };

const users = [aUser('olga', 'admin', PASSWORD)];
let app: AppUnderTest | undefined;
afterEach(async () => {
  await app?.close();
  app = undefined;
});

async function derms(given: Given, argv: readonly string[], env: NodeJS.ProcessEnv = {}) {
  app = await startApp({ authentication: authenticationOf({ users }), ...given });
  let out = '';
  let err = '';
  const code = await run(
    ['emergency-stop', ...argv],
    {
      print: (text) => (out += `${text}\n`),
      input: Readable.from(['']),
      askSecret: () => Promise.reject(new Error('nobody is asked')),
      environment: { DERMS_API_URL: app.url, DERMS_USER: 'olga', DERMS_PASSWORD: PASSWORD, ...env },
      now: () => new Date('2026-05-01T12:00:00Z'),
    },
    (text) => (err += `${text}\n`),
  );
  return { code, out, err };
}

it.each`
  argv                                           | said
  ${['--safe-state', 'zero']}                    | ${'--reason is needed.'}
  ${['--reason', 'fire']}                        | ${'--safe-state is needed.'}
  ${['--safe-state', 'off', '--reason', 'fire']} | ${'--safe-state is default or zero.'}
  ${['lift']}                                    | ${'--reason is needed.'}
`('is not carried out when it is said as $argv', async ({ argv, said }) => {
  const { code, err } = await derms({}, argv as string[]);
  expect(code).toBe(2);
  expect(err).toContain(said);
});

it('says that nothing was stopped when the broker is away, and where it looked', async () => {
  const port = String(await freePort());
  const env = { MQTT_HOST: '127.0.0.1', MQTT_PORT: port };
  const { code, err } = await derms({}, ['--safe-state', 'zero', '--reason', 'fire'], env);
  expect(code).toBe(2);
  expect(err).toMatch(/^Nothing was stopped: the broker does not take the emergency stop: /);
  expect(err).toContain(`(broker 127.0.0.1:${port})`);
}, 15_000);

it.each`
  stops             | code | said
  ${[]}             | ${0} | ${'No emergency stop, and there never was one.'}
  ${[LIFTED]}       | ${0} | ${'No emergency stop. The last one was lifted at 2026-05-01T13:00:00.000Z by olga: they are gone'}
  ${[STOP, LIFTED]} | ${1} | ${'EMERGENCY STOP (zero) since 2026-05-01T12:00:00.000Z by ann: people on the line'}
`('shows "$said" and ends with $code', async ({ stops, code, said }) => {
  const list = () => Promise.resolve(stops as EmergencyStopRecord[]);
  expect(await derms({ emergencyStop: { list } }, ['show'])).toEqual({ code, out: `${said as string}\n`, err: '' });
});

it('is lifted through the API, with the reason', async () => {
  const reasons: string[] = [];
  const lift = ({ reason }: { reason: string }) => {
    reasons.push(reason);
    return Promise.resolve({ stop: LIFTED, rootFeederIds: [] });
  };
  const { code, out } = await derms({ emergencyStop: { lift } }, ['lift', '--reason', 'they are gone & well']);
  expect([code, out]).toEqual([0, 'Lifted at 2026-05-01T13:00:00.000Z: the control loops control again.\n']);
  expect(reasons).toEqual(['they are gone & well']);
});
