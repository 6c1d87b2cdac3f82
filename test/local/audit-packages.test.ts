import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repositoryRoot } from '../../local/toolchain';

// The real npm against a registry that says what the test wants.

const PROGRAM = join(repositoryRoot(), '.ci/audit-packages.mjs');
const ADVISORY = {
  id: 1_100_001,
  url: 'https://github.com/advisories/GHSA-aaaa-bbbb-cccc',
  title: 'Lets everybody in',
  severity: 'high',
  vulnerable_versions: '<2.0.0',
};
let answer: { status: number; body: unknown };
let registry: Server;
let folder: string;

beforeAll(async () => {
  registry = createServer((request, response) => {
    request.resume();
    const isAudit = request.method === 'POST' && (request.url ?? '').includes('/advisories/bulk');
    response.writeHead(isAudit ? answer.status : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify(isAudit ? answer.body : {}));
  });
  await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
});
afterAll(() => {
  registry.closeAllConnections();
  registry.close();
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'derms-test-audit-'));
  mkdirSync(join(folder, 'docs'));
  copyFileSync(PROGRAM, join(folder, 'audit.mjs'));
  const locked = { version: '1.0.0', integrity: 'sha512-AAAA' };
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'x', version: '1.0.0', dependencies: { door: '1.0.0' } }),
  );
  writeFileSync(
    join(folder, 'package-lock.json'),
    JSON.stringify({
      ...{ name: 'x', version: '1.0.0', lockfileVersion: 3 },
      packages: {
        '': { name: 'x', version: '1.0.0', dependencies: { door: '1.0.0' } },
        'node_modules/door': locked,
      },
    }),
  );
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const audit = async (...args: string[]): Promise<{ code: number; said: string }> => {
  const url = `http://127.0.0.1:${String((registry.address() as AddressInfo).port)}`;
  const env = {
    ...process.env,
    npm_config_registry: url,
    npm_config_fetch_retries: '0',
    npm_config_update_notifier: 'false',
  };
  return new Promise((resolve) => {
    execFile('node', ['audit.mjs', ...args], { cwd: folder, env, timeout: 60_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), said: `${stdout}${stderr}` });
    });
  });
};
const explain = (explanation: object): void => {
  writeFileSync(join(folder, 'docs/advisories.json'), JSON.stringify([explanation]));
};

describe('known weaknesses of the packages that we ship', () => {
  const EXPLAINED = { id: 'GHSA-aaaa-bbbb-cccc', package: 'door', why: 'we have no door', until: '2999-01-01' };

  it('are none where the registry knows of none', async () => {
    answer = { status: 200, body: {} };

    expect(await audit()).toMatchObject({ code: 0, said: expect.stringContaining('no unexplained weakness') });
  });

  it('fail the check unless they are explained', async () => {
    answer = { status: 200, body: { door: [ADVISORY] } };

    expect(await audit()).toEqual({ code: 1, said: 'door: high: Lets everybody in (GHSA-aaaa-bbbb-cccc)\n' });
    explain(EXPLAINED);
    expect(await audit()).toMatchObject({ code: 0 });
  });

  it('need an explanation that is still of something, and whose day is not over', async () => {
    explain(EXPLAINED);
    answer = { status: 200, body: {} };
    expect(await audit()).toMatchObject({ code: 1, said: expect.stringContaining('is found no more: remove it') });

    answer = { status: 200, body: { door: [ADVISORY] } };
    explain({ ...EXPLAINED, until: '2026-01-01' });
    expect(await audit()).toMatchObject({ code: 1, said: expect.stringContaining('its day (until) is over') });
  });

  it('that nobody could look for are no pass, unless that is asked for, and then it is said', async () => {
    answer = { status: 405, body: {} };

    expect(await audit()).toMatchObject({ code: 3, said: expect.stringMatching(/^NOT CHECKED .*405/) });
    expect(await audit('--or-say-so')).toMatchObject({ code: 0, said: expect.stringMatching(/^NOT CHECKED .*405/) });
  });
});
