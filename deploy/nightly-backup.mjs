import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

// Asks the API for a backup of the database and waits until it is there and proven. Plain Node, one file: for a CronJob,
// a scheduled workflow of a CI, or cron. Exit code 0 only when the backup of this very run is verified.
//
//   DERMS_API_URL=https://derms.example DERMS_TOKEN=… node deploy/nightly-backup.mjs [minutes to wait, default 360]
//
// The token is a machine token (docs/security.md) with the scopes jobs:run:db-backup, read:runs and read:backups.

const JOB = 'db-backup';
const PAUSE_MS = 2_000;
/** What may pass by itself: the API starts, its database is away, too many ask. */
const PASSING = [429, 500, 502, 503, 504];

const { DERMS_API_URL, DERMS_TOKEN, DERMS_TOKEN_FILE } = process.env;
const [minutes = '360'] = process.argv.slice(2);
const token = DERMS_TOKEN ?? (DERMS_TOKEN_FILE ? readFileSync(DERMS_TOKEN_FILE, 'utf8').trim() : undefined);
const missing = [
  ...(DERMS_API_URL ? [] : ['DERMS_API_URL']),
  ...(token ? [] : ['DERMS_TOKEN or DERMS_TOKEN_FILE']),
  ...(Number(minutes) > 0 ? [] : ['minutes to wait, as a number above 0']),
];
if (missing.length > 0) fail(`not given: ${missing.join(', ')}`);
const deadline = performance.now() + Number(minutes) * 60_000;

const { runId } = await ask('POST', `/api/jobs/${JOB}/runs`, {}, { 'idempotency-key': randomUUID() });
console.log(`run ${runId} of ${JOB}`);
const run = await ended(runId);
if (run.state !== 'succeeded')
  fail(`run ${runId} ${run.state}${run.failure ? `: ${run.failure.code}, ${run.failure.message}` : ''}`);
const backup = await backupOf(runId);
if (backup === undefined) fail(`run ${runId} succeeded, but no backup of it is known`);
// `restored` is more than `verified`: a drill has brought it back meanwhile.
if (!['verified', 'restored'].includes(backup.state) || backup.lastVerdict === 'failed')
  fail(`backup ${backup.backupId} is ${backup.state}, last look at it: ${backup.lastVerdict ?? 'none'}`);
console.log(`backup ${backup.backupId} is ${backup.state}: ${backup.storedBytes} bytes, as of ${backup.takenAt}`);

/** The run once it is over. */
async function ended(id) {
  let told;
  for (;;) {
    const found = await ask('GET', `/api/runs/${id}`);
    if (found.finishedAt !== null) return found;
    if (found.state !== told) console.log(found.state);
    told = found.state;
    await pause(`run ${id} is still ${found.state}`);
  }
}

async function backupOf(id) {
  const { items } = await ask('GET', '/api/backups?kind=dump&limit=50');
  return items.find((backup) => backup.runId === id);
}

/** Repeats what may pass by itself until the deadline; the idempotency key makes that harmless. */
async function ask(method, path, body, headers = {}) {
  for (;;) {
    const answer = await call(method, path, body, headers);
    if (answer.ok) return answer.json();
    const said = typeof answer.text === 'function' ? (await answer.text()).slice(0, 500) : answer.said;
    if (answer.status !== undefined && !PASSING.includes(answer.status))
      fail(`${method} ${path} is refused with ${answer.status}: ${said}`);
    await pause(`${method} ${path}: ${answer.status ?? 'no answer'}, ${said}`);
  }
}

async function call(method, path, body, headers) {
  try {
    return await fetch(new URL(path, DERMS_API_URL), {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(Math.max(1, Math.min(30_000, deadline - performance.now()))),
    });
  } catch (error) {
    return { ok: false, said: error.cause?.message ?? error.message };
  }
}

async function pause(why) {
  if (performance.now() + PAUSE_MS > deadline) fail(`gave up after ${minutes} minutes: ${why}`);
  await sleep(PAUSE_MS);
}

function fail(message) {
  console.error(`NOT BACKED UP: ${message}`);
  process.exit(1);
}
