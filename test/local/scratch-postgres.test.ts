import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Client } from 'pg';
import { readToolchain } from '../../local/toolchain';
import { startTimeOf } from '../../servers/process-tree';
import { startScratchPostgres, sweepScratchPostgres } from '../../servers/scratch-postgres';

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'derms-scratch-test-'));
});
afterEach(() => {
  rmSync(parent, { recursive: true, force: true });
});

const tools = () => readToolchain().postgres;
const BUILT = join(__dirname, '../../dist/servers/scratch-postgres.js');

describe('a scratch PostgreSQL', () => {
  it('answers on loopback to its password alone, without archive, and leaves nothing', async () => {
    const scratch = await startScratchPostgres({ tools: tools(), parent });
    const { host, port, superuser: user, password } = scratch;
    const client = new Client({ host, port, user, password, database: 'postgres' });
    await client.connect();
    const { rows } = await client.query('show archive_mode');
    await client.end();
    expect([host, rows]).toEqual(['127.0.0.1', [{ archive_mode: 'off' }]]);
    const stranger = new Client({ host, port, user, password: 'guessed', database: 'postgres' });
    await expect(stranger.connect()).rejects.toMatchObject({ code: '28P01' });
    await scratch.remove();
    await scratch.remove();
    expect([readdirSync(parent), startTimeOf(scratch.pid)]).toEqual([[], undefined]);
  });

  it('leaves nothing when it is given up while it starts', async () => {
    const gaveUp = new AbortController();
    const starting = startScratchPostgres({ tools: tools(), parent, signal: gaveUp.signal });
    gaveUp.abort(new Error('cancelled'));
    await expect(starting).rejects.toThrow('cancelled');
    expect(readdirSync(parent)).toEqual([]);
  });

  it('is ended and removed by the next run when its owner was killed, and only then', async () => {
    const script = `require(${JSON.stringify(BUILT)}).startScratchPostgres(${JSON.stringify({ tools: tools(), parent })})
      .then(({ pid }) => { console.log(pid); setInterval(() => {}, 1000); });`;
    const owner = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(createInterface(owner.stdout), 'line')) as [string];
    const pid = Number(line);
    expect(await sweepScratchPostgres(parent)).toBe(0);
    expect(startTimeOf(pid)).toBeDefined();

    const gone = once(owner, 'exit');
    owner.kill('SIGKILL');
    await gone;
    expect(await sweepScratchPostgres(parent)).toBe(1);
    expect([readdirSync(parent), startTimeOf(pid)]).toEqual([[], undefined]);
  });
});
