import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beginRunRecord, endLeftovers, ownerOfRun, RunningAlreadyError } from '../../servers/run-record';

describe('the record of a run', () => {
  const folder = mkdtempSync(join(tmpdir(), 'derms-record-'));
  const file = join(folder, 'run.json');

  /** What a killed owner leaves: its record, as if its pid had been given to somebody else since. */
  const forgetOwner = (): void => {
    writeFileSync(file, readFileSync(file, 'utf8').replace(/("owner": \{[^}]*"startedAt": ")[^"]*/, '$1long ago'));
  };
  const sleeper = () => {
    const child = spawn('sleep', ['60']);
    return { pid: child.pid ?? 0, exited: once(child, 'exit') };
  };

  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it('names the owner while it lives, and refuses a second one', () => {
    const record = beginRunRecord(file);
    expect(ownerOfRun(file)).toBe(process.pid);
    expect(() => beginRunRecord(file)).toThrow(RunningAlreadyError);
    record.end();
    expect(existsSync(file)).toBe(false);
  });

  it('lets the next run end what a killed one left', async () => {
    const left = sleeper();
    beginRunRecord(file).add('sleeper', left.pid);
    forgetOwner();
    expect(ownerOfRun(file)).toBeUndefined();
    await expect(endLeftovers(file)).resolves.toEqual(['sleeper']);
    await left.exited;
    beginRunRecord(file).end();
  });

  it('never touches a stranger who has the pid now', async () => {
    const stranger = sleeper();
    beginRunRecord(file).add('sleeper', stranger.pid);
    forgetOwner();
    writeFileSync(file, readFileSync(file, 'utf8').replace(/("name": "sleeper"[^}]*"startedAt": ")[^"]*/, '$1before'));
    await expect(endLeftovers(file)).resolves.toEqual([]);
    expect(process.kill(stranger.pid, 0)).toBe(true);
    process.kill(stranger.pid);
    await stranger.exited;
  });
});
