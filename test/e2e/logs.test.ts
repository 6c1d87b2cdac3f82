import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startMosquitto } from '../../local/mosquitto';
import { startTestSystem, type TestSystem } from '../../local/test-system';
import { eventually } from '../support/servers';
import { faultsOfLine, type LogLine } from '../support/log-lines';
import { apiAs, DEMO, metric } from './support';

// Every process of a run, from its start through a broker that goes and comes back, a refused request and a job to its end.

let system: TestSystem;
let lines: string[];
const servers: { stop(): Promise<unknown> }[] = [];

beforeAll(async () => {
  system = await startTestSystem({ env: { LOG_LEVEL: 'debug' } });
  try {
    await Promise.all([system.start('api'), system.start('worker')]);
    await system.derms('registry', 'apply', DEMO);
    await system.start('simulator', ['--registry', DEMO, '--seed', '1']);
    const viewer = await apiAs(system, 'viewer');
    expect((await viewer('POST', '/api/jobs/tick-audit/runs', {})).status).toBe(403);
    await system.derms('job', 'audit-head', '--follow');
    await loseTheBroker();
    for (const program of ['simulator', 'worker', 'api'] as const) await system.running(program).stop();
    lines = ['api', 'worker', 'simulator'].flatMap((program) =>
      readFileSync(join(system.stack.folder, `${program}.log`), 'utf8')
        .trimEnd()
        .split('\n'),
    );
  } catch (error) {
    await system.stop();
    throw error;
  }
}, 300_000);
afterAll(async () => {
  for (const server of servers) await server.stop();
  await system.stop();
}, 60_000);

async function loseTheBroker(): Promise<void> {
  const { mosquitto, brokerUser, folder } = system.stack;
  const up = (): Promise<number | undefined> => metric(`${system.apiUrl}/metrics`, 'derms_mqtt_up');
  await mosquitto.stop();
  await eventually(async () => expect(await up()).toBe(0), 30_000, 250);
  servers.push(await startMosquitto({ dataDir: join(folder, 'mosquitto'), port: mosquitto.port, users: [brokerUser] }));
  await eventually(async () => expect(await up()).toBe(1), 30_000, 250);
}

it('every line is JSON with the fields that are promised', () => {
  expect(lines.length).toBeGreaterThan(60);
  expect(lines.flatMap(faultsOfLine)).toEqual([]);
});

it('every role has written', () => {
  const roles = new Set(lines.map((line) => (JSON.parse(line) as LogLine).role));
  expect([...roles].sort()).toEqual(['api', 'control', 'ingest', 'jobs', 'simulator', 'worker']);
});

it('what belongs to a request, a run and a lost broker is found by its field', () => {
  const read = lines.map((line) => JSON.parse(line) as LogLine);
  expect(read.some(({ msg, status }) => msg === 'request' && status === 403)).toBe(true);
  expect(
    read.some(({ role, runId, workflowId }) => role === 'jobs' && runId !== undefined && workflowId !== undefined),
  ).toBe(true);
  expect(read.some(({ level, mqttHost }) => level === 'warn' && mqttHost !== undefined)).toBe(true);
});

it('a line that breaks a promise is seen', () => {
  const good = lines.find((line) => line.includes('"connected to the broker"')) ?? '';
  expect(faultsOfLine(good)).toEqual([]);
  expect(faultsOfLine(good.replace('"mqttHost"', '"host"'))).toHaveLength(1);
  expect(faultsOfLine('Error: something')).toEqual(['no JSON: Error: something']);
});
