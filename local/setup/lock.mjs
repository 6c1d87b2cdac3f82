import { mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

// A lock file names its holder and is touched every two seconds. It is stale when its holder's process is gone or,
// for a home folder shared by machines, when nobody touched it for a minute.
const TOUCH_EVERY_MS = 2_000;
const STALE_AFTER_MS = 60_000;

/**
 * Runs `work` while no other process that uses the same lock file does; waits for as long as that takes.
 *
 * `onWait` is called once, with the holder's pid, when another process holds the lock.
 */
export async function withLock(file, work, onWait) {
  mkdirSync(dirname(file), { recursive: true });
  let told = false;
  while (!tryTake(file)) {
    removeIfStale(file);
    if (!told) onWait?.(holder(file)?.pid);
    told = true;
    await sleep(100);
  }
  const release = () => rmSync(file, { force: true });
  const heartbeat = setInterval(() => touch(file), TOUCH_EVERY_MS);
  process.once('exit', release);
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    process.removeListener('exit', release);
    release();
  }
}

function tryTake(file) {
  try {
    writeFileSync(file, JSON.stringify({ pid: process.pid, host: hostname() }), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

function holder(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Moves a stale lock aside first and looks at what was moved, so that a lock taken meanwhile is put back. */
function removeIfStale(file) {
  if (!isStale(file)) return;
  const aside = `${file}.${process.pid}`;
  try {
    renameSync(file, aside);
    if (isStale(aside)) rmSync(aside);
    else renameSync(aside, file);
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
}

function isStale(file) {
  try {
    if (Date.now() - statSync(file).mtimeMs > STALE_AFTER_MS) return true;
    const by = holder(file);
    return by !== undefined && by.host === hostname() && !isAlive(by.pid);
  } catch (error) {
    if (error.code === 'ENOENT') return false;
    throw error;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function touch(file) {
  try {
    const now = new Date();
    utimesSync(file, now, now);
  } catch {
    // Removed by hand: the work that is under way does not suffer from it.
  }
}
