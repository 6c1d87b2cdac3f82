import type { ErrorCode } from '../domain/errors';

export interface ErrorPage {
  readonly status: number;
  readonly title: string;
  /** What happened, for somebody who sees the code for the first time. */
  readonly meaning: string;
  /** What to do about it. */
  readonly remedy: string;
}

/**
 * What HTTP makes of each failure: its status and its page. `type` of a problem answer links to the page; `docs/errors.md`
 * is made from here and a test keeps the two equal.
 */
export const ERROR_PAGES = {
  VALIDATION_FAILED: {
    status: 422,
    title: 'The request is not valid',
    meaning: 'A field, parameter or header is missing, unknown, or out of its bounds. Nothing was done.',
    remedy: 'Each entry of `errors` points to a place in what was sent and says what is wrong with it.',
  },
  MALFORMED_JSON: {
    status: 400,
    title: 'The body is not JSON',
    meaning: 'The body could not be read as JSON, or as the character set and encoding that its headers name.',
    remedy: 'Send a JSON object in UTF-8. Numbers have no leading zeros; names and strings stand in double quotes.',
  },
  MALFORMED_REQUEST: {
    status: 400,
    title: 'The request is not HTTP',
    meaning:
      'What came on the connection could not be read as a request: its first line, a header, or how its end is marked.',
    remedy: 'Use an HTTP library rather than writing requests by hand; see that no proxy in between changes them.',
  },
  UNAUTHENTICATED: {
    status: 401,
    title: 'Not logged in',
    meaning:
      'There is no access token, or it is expired, was revoked, was issued by somebody else or for another environment, or its user exists no more.',
    remedy:
      'Log in with `POST /api/auth/login` and send `Authorization: Bearer <accessToken>`. A machine needs a new token from an administrator.',
  },
  FORBIDDEN: {
    status: 403,
    title: 'Not allowed',
    meaning:
      'The caller is known, but this needs a higher role, or a scope that its machine token does not have. An attempt to change something is in the audit log.',
    remedy:
      'Ask somebody with the role that `detail` names, or an administrator to change `AUTH_USERS`; for a machine, to issue a token with the scope.',
  },
  NOT_FOUND: {
    status: 404,
    title: 'There is nothing here',
    meaning: 'No route has this path.',
    remedy: 'All routes are listed at `/api/docs`.',
  },
  METHOD_NOT_ALLOWED: {
    status: 405,
    title: 'This path does not take that method',
    meaning: 'The path exists, but not with this method.',
    remedy: 'The header `Allow` names the methods it takes.',
  },
  NOT_ACCEPTABLE: {
    status: 406,
    title: 'The answer would be of a kind that is not wanted',
    meaning: 'The header `Accept` rules out every kind that this route answers in. Nothing was done.',
    remedy: 'Send `Accept: application/json`, or the kinds that the page of the route names, or no `Accept` at all.',
  },
  REQUEST_TOO_SLOW: {
    status: 408,
    title: 'The request did not come in time',
    meaning:
      'Headers have to be there within `API_HEADERS_TIMEOUT_MS`, the whole request within `API_RECEIVE_TIMEOUT_MS`. Nothing was done, and the connection is closed.',
    remedy: 'Send it again; over a very slow line in smaller pieces.',
  },
  HEADERS_TOO_LARGE: {
    status: 431,
    title: 'The headers are too large',
    meaning: 'First line and headers together may have `API_MAX_HEADER_BYTES`. Nothing was done.',
    remedy: 'Send fewer or shorter headers, and less in the query.',
  },
  PAYLOAD_TOO_LARGE: {
    status: 413,
    title: 'The body is too large',
    meaning: 'Bodies are limited to 256 kB, registry files to 8 MB.',
    remedy: 'Send less at once.',
  },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    title: 'The body is of a kind that is not taken',
    meaning: 'A body was expected as JSON and its `Content-Type` (or `Content-Encoding`, or charset) says otherwise.',
    remedy: 'Send `Content-Type: application/json`.',
  },
  FEEDER_NOT_FOUND: {
    status: 404,
    title: 'Unknown feeder',
    meaning: 'No feeder has this id.',
    remedy: 'Ids are case-sensitive; `GET /api/feeders` lists them.',
  },
  FEEDER_DISABLED: {
    status: 409,
    title: 'Nobody controls this feeder',
    meaning: 'The feeder, or the root of its tree, is disabled: there is no loop that would carry this out.',
    remedy: 'An administrator starts it with `POST /api/feeders/{feederId}/control-loop/start`, or sets another mode.',
  },
  FEEDER_TREE_INVALID: {
    status: 422,
    title: 'The tree would not hold',
    meaning: 'The parent is unknown, or lies below the feeder that would hang on it. Nothing was changed.',
    remedy: 'Make the parent first, or choose one that does not hang on this feeder.',
  },
  DEVICE_NOT_FOUND: {
    status: 404,
    title: 'Unknown device',
    meaning: 'No device has this id. Devices appear with their first valid telemetry, or from the registry file.',
    remedy: 'Ids are case-sensitive; see `GET /api/devices`, and `GET /api/telemetry/rejected` for what was refused.',
  },
  DEVICE_INVALID: {
    status: 422,
    title: 'The device would not be sound',
    meaning: 'The fields contradict each other or name a feeder that does not exist. Nothing was changed.',
    remedy: 'Each entry of `errors` points to a field and says what is wrong with it.',
  },
  BACKUP_NOT_FOUND: {
    status: 404,
    title: 'There is no such backup',
    meaning: 'No backup has this id.',
    remedy: '`GET /api/backups` lists them; what was deleted is listed too.',
  },
  DISPATCH_NOT_FOUND: {
    status: 404,
    title: 'Unknown dispatch',
    meaning: 'No dispatch has this id. Refused requests leave an audit row, not a dispatch.',
    remedy: '`GET /api/dispatches` lists all that were accepted.',
  },
  DISPATCH_CONFLICT: {
    status: 409,
    title: 'Another dispatch excludes this one',
    meaning: 'Together with those in `conflictsWith` nothing would be left to hold, and they have the right of way.',
    remedy: 'Cancel the other one, choose another window or limit, or ask with a lower `primacy` number.',
  },
  DISPATCH_UNREACHABLE: {
    status: 422,
    title: 'The limit cannot be reached',
    meaning: 'Even with every device at its nearest bound the feeder would not hold it; `detail` names the missing kW.',
    remedy: 'Ask for less, or for a window in which more can be moved.',
  },
  DISPATCH_CLOSED: {
    status: 409,
    title: 'The dispatch is over',
    meaning: 'It is completed, cancelled, superseded or expired, and what is over is not changed any more.',
    remedy: 'Ask for a new one if it is still needed.',
  },
  IDEMPOTENCY_KEY_MISSING: {
    status: 400,
    title: 'Idempotency-Key is missing',
    meaning: 'A dispatch must be safe to ask for twice, which needs a name for the request that the caller chose.',
    remedy: 'Send `Idempotency-Key` with something unique, a UUID for instance, and the same one with each repetition.',
  },
  IDEMPOTENCY_KEY_REUSED: {
    status: 422,
    title: 'The key was used for another request',
    meaning: 'This `Idempotency-Key` came before, with another body. Nothing was done.',
    remedy: 'Use a new key for a new request.',
  },
  REVISION_MISSING: {
    status: 428,
    title: 'If-Match is missing',
    meaning: 'What exists is changed only by somebody who says which state of it they saw.',
    remedy: 'Read it, and send its `ETag` as `If-Match`.',
  },
  REVISION_CONFLICT: {
    status: 412,
    title: 'It was changed in the meantime',
    meaning:
      'The revision in `If-Match` is not the present one: somebody else was quicker; or `If-None-Match` rules out what is there. Nothing was changed.',
    remedy: 'Read it again, look at what is different, and decide anew.',
  },
  REGISTRY_INVALID: {
    status: 422,
    title: 'The registry file has faults',
    meaning: 'The file was looked at as a whole and nothing of it was applied.',
    remedy: 'Each entry of `errors` points to a place in the file and says what is wrong with it.',
  },
  PLAN_NOT_FOUND: {
    status: 404,
    title: 'That plan does not wait for approval',
    meaning: 'Another plan has taken its place by now, or the loop is not in manual mode.',
    remedy: 'Read the loop again; exactly the plan in `proposal` can be approved.',
  },
  CYCLE_NOT_FOUND: {
    status: 404,
    title: 'There is no such cycle',
    meaning: 'The loop of this tree has no cycle of that number, chain or time, or the device was not part of it.',
    remedy: 'List the cycles of the feeder. Cycles are kept for 90 days.',
  },
  CYCLE_NOT_REPLAYABLE: {
    status: 409,
    title: 'That cycle cannot be planned again',
    meaning:
      'What it was planned from is removed by now, or was decided by the rules of another version of this program.',
    remedy: 'Inputs are kept for 30 days. For a cycle of an older version, ask a program of that version.',
  },
  CONTROL_LOOP_NOT_RUNNING: {
    status: 409,
    title: 'No control loop runs for this tree',
    meaning: 'Temporal knows no open workflow of this loop. A loop that should run is started within a minute.',
    remedy: 'See whether the root is enabled and a control worker is up; try again in a minute.',
  },
  JOB_NOT_FOUND: {
    status: 404,
    title: 'Unknown job',
    meaning: 'This version declares no job of this name.',
    remedy: '`GET /api/jobs` lists all of them.',
  },
  JOB_ALREADY_RUNNING: {
    status: 409,
    title: 'The job runs already',
    meaning: 'As many runs as the job takes at a time go on or wait; `activeRun` is the oldest. Nothing was started.',
    remedy: 'Follow that run with `GET {activeRun}/events`, cancel it, or ask again when it is over.',
  },
  RUN_NOT_FOUND: {
    status: 404,
    title: 'Unknown run',
    meaning: 'No run has this id.',
    remedy: '`GET /api/runs` lists them, newest first.',
  },
  RUN_OVER: {
    status: 409,
    title: 'The run is over',
    meaning: 'It has ended, and what has ended is neither cancelled nor terminated any more.',
    remedy: 'See how it ended with `GET /api/runs/{runId}`; `POST …/run-again` starts another with the same input.',
  },
  SCHEDULE_NOT_FOUND: {
    status: 404,
    title: 'Unknown schedule',
    meaning: 'This deployment has no schedule of this id, or its control worker has not made it yet.',
    remedy: '`GET /api/schedules` lists them; which jobs have one is in docs/jobs.md and `JOB_SCHEDULES`.',
  },
  MACHINE_TOKEN_NOT_FOUND: {
    status: 404,
    title: 'Unknown machine token',
    meaning: 'No machine token has this id.',
    remedy: '`GET /api/auth/machine-tokens` lists them, revoked ones too. The id is not the token.',
  },
  TOO_MANY_REQUESTS: {
    status: 429,
    title: 'Too many attempts',
    meaning:
      'One caller has asked more often than `RateLimit-Policy` allows, or for too much at once; or there were too many failed log-ins in a row, there are too many open event streams, or too many plans are asked for at once. Nothing was done.',
    remedy:
      'Wait as long as `Retry-After` says, then try again, and keep an eye on `RateLimit`; close streams that nobody reads; ask for one thing after the other.',
  },
  DATABASE_UNAVAILABLE: {
    status: 503,
    title: 'PostgreSQL does not answer',
    meaning: 'The answer needs the database, and it is away, full, or not migrated yet. Nothing was done.',
    remedy: 'See `/api/health`. Try again after `Retry-After`; writes with an `Idempotency-Key` are safe to repeat.',
  },
  BROKER_UNAVAILABLE: {
    status: 503,
    title: 'The broker does not answer',
    meaning: 'The answer needs the MQTT broker, and it is away. Setpoints in force stay so until they expire.',
    remedy: 'See `/api/health`. Try again after `Retry-After`.',
  },
  BROKER_STORE_UNAVAILABLE: {
    status: 503,
    title: "The broker's store cannot be copied",
    meaning: 'The broker is not running where its store was expected, may not be signalled, or did not save in time.',
    remedy: 'Follow `docs/runbooks/mqtt-backup.md`: the message names the process or the path.',
  },
  BROKER_STORE_FAULTY: {
    status: 500,
    title: "The copy of the broker's store is not whole",
    meaning:
      'The copy is empty, cut, zeroed or damaged, or a broker that was started on it did not show what it holds. It does not count as a backup.',
    remedy: 'Follow `docs/runbooks/mqtt-backup.md`; look at the disk of the broker first.',
  },
  TEMPORAL_UNAVAILABLE: {
    status: 503,
    title: 'Temporal does not answer',
    meaning: 'What was asked for needs a workflow to carry it out, and Temporal is away. Nothing was written.',
    remedy: 'See `/api/health`. Try again after `Retry-After`; reading works meanwhile.',
  },
  STORAGE_UNAVAILABLE: {
    status: 503,
    title: 'The storage of backups does not answer',
    meaning: 'The directory or bucket is away, full, or does not let us in. No object was half stored.',
    remedy: '`detail` says which of them. Room and permissions need somebody; for the rest, try again after a while.',
  },
  STORAGE_REFUSED: {
    status: 409,
    title: 'The storage of backups refuses this',
    meaning: 'The object is not there, is there already, or is protected against removal. Nothing was done.',
    remedy:
      'Trying again does not help. A protected object may be removed when its time is over, see `docs/storage.md`.',
  },
  BACKUP_UNREADABLE: {
    status: 422,
    title: 'The backup cannot be trusted',
    meaning: 'What was read is not what was encrypted, or the key ring does not have the key. Nothing of it was used.',
    remedy: '`detail` says which. Take another backup, or put the key back into `BACKUP_ENCRYPTION_KEYS`.',
  },
  TIMED_OUT: {
    status: 504,
    title: 'It took too long',
    meaning: 'The answer did not come in time. A change may have been made nevertheless.',
    remedy: 'Read first; a request with an `Idempotency-Key` is safe to repeat.',
  },
  SHUTTING_DOWN: {
    status: 503,
    title: 'This process is stopping',
    meaning: 'The request came while the process was told to stop, and was not begun.',
    remedy: 'Send it again: another replica takes it, or the next process does.',
  },
  QUARANTINED: {
    status: 503,
    title: 'The database is quarantined',
    meaning:
      'The data was restored from a backup, and nobody has said yet that it may control again. Reading works; nothing is written, planned or published.',
    remedy:
      'See `GET /api/quarantine` for since when and why. An administrator compares the data with Temporal and the broker (`npm run reconcile -- --apply`) and lifts it: docs/runbooks/restore.md.',
  },
  NOT_QUARANTINED: {
    status: 409,
    title: 'There is no quarantine to lift',
    meaning: 'The database is not quarantined, or somebody else has lifted it just now.',
    remedy: '`GET /api/quarantine` says who lifted the last one, and why.',
  },
  RECONCILIATION_MISSING: {
    status: 409,
    title: 'The restored data was not compared yet',
    meaning:
      'Since the restore nothing has compared the data with Temporal and the broker, or the comparison left something open.',
    remedy:
      'Run `npm run reconcile -- --apply`. What it leaves open a person settles (docs/runbooks/restore.md), then lifts it with `force` and the reason.',
  },
  NOT_STOPPED: {
    status: 409,
    title: 'There is no emergency stop to lift',
    meaning: 'No emergency stop is in force, or somebody else has lifted it just now.',
    remedy: '`GET /api/emergency-stop` says who lifted the last one, and why.',
  },
  INTERNAL: {
    status: 500,
    title: 'A fault of ours',
    meaning: 'Something happened that has no name. The log has it under the request id.',
    remedy: 'Report the request id. Read before you repeat a change.',
  },
} as const satisfies Record<ErrorCode, ErrorPage>;

/** Where the page of a code is served; `type` of every problem answer. */
export const errorPageUrl = (code: ErrorCode): string => `/api/docs/errors#${code}`;
