import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readToolchain } from '../../../local/toolchain';
import type { TestSystem } from '../../../local/test-system';
import { apiAs, startDemo } from '../../e2e/support';
import { eventually } from '../../support/servers';

// Schemathesis makes up requests from docs/openapi.json against the real system: none is answered with a fault of ours,
// and every answer is one that the document promises. What it is told is in schemathesis.toml.

const CONFIG = join(__dirname, 'schemathesis.toml');
/** Of one user, s. The examples and the corners of every schema come first, then what chance brings. */
const SECONDS = { admin: 100, operator: 55, viewer: 35 } as const;
/** How often one may ask is for `abuse.test.ts`: here it would hide what is asked after it. */
const UNLIMITED = { API_RATE_READS: '1000000', API_RATE_CHANGES: '1000000', API_RATE_STRANGERS: '1000000' };
/** Without the jobs role: runs are written, wait and are cancelled; none of them restores a database in the background. */
const ROLES = { WORKER_ROLES: 'control,ingest' };

const folder = mkdtempSync(join(tmpdir(), 'derms-fuzz-'));
let system: TestSystem;
let known: Record<string, string>;

beforeAll(async () => {
  system = await startDemo({ env: { NODE_ENV: 'test', ...UNLIMITED, ...ROLES } });
  const operator = await apiAs(system, 'operator');
  await eventually(async () => {
    const { body } = await operator('GET', '/api/devices?state=online&limit=1');
    expect(body['items']).toHaveLength(1);
  }, 60_000);
  const { body: devices } = await operator('GET', '/api/devices?state=online&limit=1');
  const run = await operator('POST', '/api/jobs/telemetry-retention/runs', {});
  const dispatch = await operator(
    'POST',
    '/api/dispatches',
    {
      ...{ feederId: 'elm-street', importLimitKw: 90, reason: 'to be asked about' },
      endsAt: new Date(Date.now() + 3_600_000).toISOString(),
    },
    { 'idempotency-key': randomUUID() },
  );
  known = {
    FUZZ_DEVICE: (devices['items'] as { deviceId: string }[])[0]!.deviceId,
    FUZZ_RUN: String(run.body['runId']),
    FUZZ_DISPATCH: String(dispatch.body['dispatchId']),
  };
}, 180_000);
afterAll(async () => {
  await system.stop();
  rmSync(folder, { recursive: true });
}, 60_000);

function fuzz(user: keyof typeof SECONDS): Promise<{ readonly code: number; readonly said: string }> {
  const tool = readToolchain().schemathesis;
  if (tool === undefined)
    throw new Error(
      'NOT RUN: this proof needs Schemathesis. `node local/setup/setup.mjs --proofs` installs it, or says what to type',
    );
  const credentials = { FUZZ_USER: user, FUZZ_PASSWORD: system.secrets.users[user] };
  const address = `${system.apiUrl}/api/openapi.json`;
  const args = ['--config-file', CONFIG, 'run', address, '--url', system.apiUrl, '--no-color'];
  return new Promise((resolve) => {
    execFile(
      tool.path,
      // One thread: Python 3.11 keeps one depth for all threads that parse source, and breaks off when two of them do.
      [...args, '--max-time', String(SECONDS[user]), '--workers', '1'],
      { cwd: folder, env: { ...process.env, ...known, ...credentials }, maxBuffer: 64 * 1_048_576 },
      (error, stdout, stderr) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : 0, said: `${stdout}${stderr}` });
      },
    );
  });
}

it.each(['admin', 'operator', 'viewer'] as const)(
  'whatever %s asks is answered as the document says, and never with a fault of ours',
  async (user) => {
    const { code, said } = await fuzz(user);
    process.stdout.write(`${/Test cases:[\s\S]*?(?=\n\n)/.exec(said)?.[0] ?? said.slice(-500)}\n`);
    if (code !== 0) throw new Error(`Schemathesis found faults:\n${said.slice(-20_000)}`);
  },
);
