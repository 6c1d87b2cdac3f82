import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../../servers/free-port';
import { startMosquitto } from '../../../local/mosquitto';
import type { MosquittoBroker } from '../../../servers/mosquitto';

const PROGRAM = join(__dirname, '../../../dist/simulator/main.js');

describe('node dist/simulator/main.js', () => {
  let folder: string;
  let broker: MosquittoBroker;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'derms-simulator-'));
    broker = await startMosquitto({ dataDir: join(folder, 'mosquitto') });
  });

  afterAll(async () => {
    await broker.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('needs no more than a broker, says how it stands, and stops at once when it is told to', async () => {
    const metricsPort = await freePort();
    const program = start(['--devices', '10', '--feeders', '2', '--interval', '0.5', '--silent', '1'], {
      MQTT_PORT: String(broker.port),
      METRICS_PORT: String(metricsPort),
    });
    const page = async (path: string): Promise<string> => {
      const answer = await fetch(`http://127.0.0.1:${String(metricsPort)}${path}`);
      return answer.ok ? answer.text() : '';
    };
    await until(async () => (await page('/ready')) === 'ready\n');
    await until(async () =>
      /^derms_simulator_telemetry_acknowledged_total\{.*\} ([9]|\d\d)/m.test(await page('/metrics')),
    );
    const metrics = await page('/metrics');
    expect(metrics).toContain('derms_simulator_devices{role="simulator"} 10\n');
    expect(metrics).toMatch(/derms_simulator_feeder_wanted_kw\{feeder="sim-feeder-00001",role="simulator"\} \d/);

    const startedAt = performance.now();
    program.child.kill('SIGTERM');
    const [code] = (await once(program.child, 'exit')) as [number | null];
    expect(code).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    const lines = program.output().split('\n').filter(Boolean);
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ msg: 'simulating', role: 'simulator', mqttHost: '127.0.0.1', mqttPort: broker.port }),
      ]),
    );
  });

  it.each`
    what                          | args                                   | code | message
    ${'an unknown flag'}          | ${['--devics', '10']}                  | ${2} | ${/Unknown option '--devics'[^]*Usage:/}
    ${'a faulty registry'}        | ${['--registry', 'faulty.yaml']}       | ${1} | ${/\/feeders\/0\/importLimitKw line 1: is required and missing/}
    ${'a registry not there'}     | ${['--registry', 'nowhere.yaml']}      | ${1} | ${/ENOENT.*nowhere\.yaml/}
    ${'more faults than devices'} | ${['--devices', '2', '--silent', '3']} | ${1} | ${/has only 2 devices/}
  `(
    'refuses $what and says why',
    async ({ args, code, message }: { args: string[]; code: number; message: RegExp }) => {
      writeFileSync(join(folder, 'faulty.yaml'), 'feeders: [{ feederId: a, exportLimitKw: 1 }]');
      const program = start(args, {});
      const [exitCode] = (await once(program.child, 'exit')) as [number | null];

      expect(program.output()).toMatch(message);
      expect(exitCode).toBe(code);
    },
  );

  /** With exactly this environment: no database, no secrets. */
  function start(args: readonly string[], env: Record<string, string>) {
    const child = spawn(process.execPath, [PROGRAM, ...args], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (text: Buffer) => (output += text.toString()));
    child.stderr.on('data', (text: Buffer) => (output += text.toString()));
    return { child, output: () => output };
  }
});

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    if (await holds().catch(() => false)) return;
    if (performance.now() > deadline) throw new Error(`it never happened that ${holds.toString()}`);
    await sleep(50);
  }
}
