import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { write } from './checkout';

// The set-up is plain ES modules that run before anything is installed; each case is a process of its own.

const setup = join(__dirname, '..', '..', 'local', 'setup');
const folder = mkdtempSync(join(tmpdir(), 'derms set-up '));
const moduleUrl = (name: string): string => JSON.stringify(pathToFileURL(join(setup, name)).href);

/** Runs a script that may import the set-up's modules, and returns what it printed as JSON. */
const evaluate = async (script: string, env: Record<string, string> = {}): Promise<unknown> => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
    env: { ...process.env, DERMS_CACHE_DIR: join(folder, 'cache'), ...env },
  });
  return JSON.parse(stdout);
};

const program = (path: string, output: string): void => {
  write(path, `#!/bin/sh\necho '${output}'\n`);
  chmodSync(path, 0o755);
};

afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe('the set-up', () => {
  it('prints a line per component and is quick when nothing is missing', async () => {
    const began = performance.now();
    const { stdout } = await promisify(execFile)(process.execPath, [join(setup, 'setup.mjs')]);
    expect(performance.now() - began).toBeLessThan(6_000);
    const names = stdout
      .trimEnd()
      .split('\n')
      .map((line) => /✓ (.+?) {2}/.exec(line)?.[1]);
    expect(names.sort()).toEqual(['Mosquitto', 'PostgreSQL', 'Temporal CLI', 'npm packages', 'zstd']);
  });

  it('takes PostgreSQL from one folder that has every tool in one version', async () => {
    const tools = ['postgres', 'initdb', 'pg_ctl', 'psql', 'pg_dump', 'pg_restore', 'pg_basebackup', 'pg_verifybackup'];
    const folders = Object.fromEntries(['partial', 'mixed', 'old', 'whole'].map((name) => [name, join(folder, name)]));
    for (const [name, bin] of Object.entries(folders)) {
      for (const tool of tools) {
        if (name === 'partial' && tool === 'pg_verifybackup') continue;
        const version = name === 'old' || (name === 'mixed' && tool === 'psql') ? '14.2' : '17.1';
        program(join(bin, tool), `${tool} (PostgreSQL) ${version}`);
      }
    }
    const PATH = [...Object.values(folders), '/usr/bin', '/bin'].join(':');
    const script = `import { postgresTools } from ${moduleUrl('postgres-tools.mjs')};
      console.log(JSON.stringify(await postgresTools.find()));`;
    await expect(evaluate(script, { PATH })).resolves.toMatchObject({
      entry: { bin: folders['whole'], version: '17.1' },
    });
  });

  it('sees through links of single tools to the folder that has them all', async () => {
    const links = join(folder, 'links');
    const whole = join(folder, 'whole');
    write(join(links, 'note'), '');
    for (const tool of ['postgres', 'initdb']) symlinkSync(join(whole, tool), join(links, tool));
    const script = `import { postgresTools } from ${moduleUrl('postgres-tools.mjs')};
      console.log(JSON.stringify(await postgresTools.find()));`;
    await expect(evaluate(script, { PATH: `${links}:/usr/bin:/bin` })).resolves.toMatchObject({
      entry: { bin: whole },
    });
  });

  it.each`
    said                                                       | version
    ${'temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)'}     | ${'1.5.1'}
    ${'temporal version 0.0.0-DEV (Server 1.29.1, UI 2.42.1)'} | ${'1.5.1'}
    ${'temporal version 1.6.0 (Server 1.30.0, UI 2.45.0)'}     | ${undefined}
  `('takes a Temporal CLI on PATH that says "$said" as $version', async ({ said, version }: Record<string, string>) => {
    program(join(folder, 'path', 'temporal'), said ?? '');
    const script = `import { temporalCli } from ${moduleUrl('temporal-cli.mjs')};
      console.log(JSON.stringify((await temporalCli.find()) ?? {}));`;
    const found = await evaluate(script, { PATH: `${join(folder, 'path')}:/usr/bin:/bin` });
    expect(found).toEqual(version === undefined ? {} : expect.objectContaining({ version }));
  });

  it('refuses a download whose checksum is not the pinned one, and leaves nothing of it', async () => {
    const server = createServer((_, response) => response.end('not the program')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const target = join(folder, 'downloads', 'temporal');
    const script = `import { downloadTemporal } from ${moduleUrl('temporal-download.mjs')};
      const error = await downloadTemporal('1.5.1', ${JSON.stringify(target)}, () => {}, 'http://127.0.0.1:${port}/').catch(String);
      console.log(JSON.stringify(error));`;
    await expect(evaluate(script)).resolves.toMatch(/has SHA-256 [0-9a-f]{64}, not [0-9a-f]{64}: refused/);
    server.close();
    expect(readdirSync(join(folder, 'downloads'))).toEqual([]);
  });

  it('says what to type for everything that is missing at once', async () => {
    const script = `import { whatToType } from ${moduleUrl('components.mjs')};
      const missing = (name) => ({ component: { name, help: () => ['type ' + name] }, reason: 'because of ' + name });
      console.log(JSON.stringify(whatToType([missing('this'), missing('that')])));`;
    await expect(evaluate(script)).resolves.toBe(
      '\nMissing, and what to type:\n  this: because of this\n    → type this\n  that: because of that\n    → type that',
    );
  });
});

describe('the lock of two set-ups', () => {
  const lock = join(folder, 'some.lock');
  const log = join(folder, 'turns');
  const holder = `import { appendFileSync } from 'node:fs';
    import { withLock } from ${moduleUrl('lock.mjs')};
    await withLock(${JSON.stringify(lock)}, async () => {
      appendFileSync(${JSON.stringify(log)}, 'in ');
      await new Promise((done) => setTimeout(done, 50));
      appendFileSync(${JSON.stringify(log)}, 'out ');
    });
    console.log('true');`;

  it('lets one after the other in, also when one that was killed still holds it', async () => {
    const dead = spawn(process.execPath, ['-e', '']);
    await new Promise((exited) => dead.once('exit', exited));
    const host = JSON.stringify((await promisify(execFile)('hostname')).stdout.trim());
    write(lock, `{ "pid": ${dead.pid ?? 0}, "host": ${host} }`);
    await Promise.all(Array.from({ length: 4 }, () => evaluate(holder)));
    expect(readFileSync(log, 'utf8')).toBe('in out '.repeat(4));
    expect(existsSync(lock)).toBe(false);
  });
});
