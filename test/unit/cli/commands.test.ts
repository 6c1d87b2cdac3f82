import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { run } from '../../../cli/run';
import { parseAuthUsers } from '../../../config/auth-users';
import { parsePasswordHash, unmatchableHash, verifyPassword } from '../../../config/password-hash';
import type { DispatchOrder } from '../../../db/dispatch-admission';
import type { RegistryOrder } from '../../../db/registry-apply';
import { parseKeyRing } from '../../../storage/encryption/key-ring';
import { freePort } from '../../../servers/free-port';
import { aUser, authenticationOf, startApp, UNREVOKED, type AppUnderTest, type Given } from '../api/app-under-test';

// Against the real API, with plain objects behind it.

const PASSWORD = 'Correct horse battery 9';
const NOW = new Date('2026-05-01T12:00:00Z');
const users = [aUser('olga', 'admin', PASSWORD)];
let app: AppUnderTest | undefined;
let folder: string;
let nowhere: string;

beforeAll(async () => {
  nowhere = `http://127.0.0.1:${String(await freePort())}`;
  folder = mkdtempSync(join(tmpdir(), 'derms-cli-'));
});
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(async () => {
  await app?.close();
  app = undefined;
});

const startApi = async (given: Given): Promise<void> => {
  app = await startApp({ authentication: authenticationOf({ users }), ...given });
};

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function derms(argv: readonly string[], given: { env?: NodeJS.ProcessEnv; input?: string } = {}): Promise<Ran> {
  let out = '';
  let err = '';
  const code = await run(
    argv,
    {
      print: (text) => (out += `${text}\n`),
      input: Readable.from([given.input ?? '']),
      askSecret: () => Promise.reject(new Error('nobody is asked')),
      environment: {
        DERMS_API_URL: app?.url ?? nowhere,
        DERMS_USER: 'olga',
        DERMS_PASSWORD: PASSWORD,
        // Nothing listens there either.
        ...{ DB_HOST: '127.0.0.1', DB_PORT: '1', DB_PASSWORD: 'x', MQTT_PORT: '1', TEMPORAL_ADDRESS: '127.0.0.1:1' },
        ...given.env,
      },
      now: () => NOW,
    },
    (text) => (err += `${text}\n`),
  );
  return { code, out, err };
}

describe('every command', () => {
  it('is listed by help', async () => {
    const { code, out } = await derms([]);
    expect(code).toBe(0);
    expect(out).toContain('registry apply FILE');
  });

  it('says what to write when it is written wrongly', async () => {
    expect(await derms(['dance'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('There is no command "dance"'),
    });
    expect(await derms(['constructor'])).toMatchObject({ code: 2 });
    expect(await derms(['cancel'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('Usage: derms cancel DISPATCH'),
    });
    expect(await derms(['feeders', '--colour'])).toMatchObject({ code: 2, err: expect.stringContaining("'--colour'") });
  });

  it('says what to do when the API does not answer', async () => {
    const { code, err } = await derms(['feeders']);
    expect(code).toBe(2);
    expect(err).toBe(
      `The API at ${nowhere} does not answer (ECONNREFUSED). Start it (npm start), or set DERMS_API_URL to where it is.\n`,
    );
  });

  it('says what to do when nobody is named, or the password is wrong', async () => {
    await startApi({});
    expect((await derms(['feeders'], { env: { DERMS_USER: undefined } })).err).toContain(
      'set DERMS_USER and DERMS_PASSWORD',
    );
    const { code, err } = await derms(['feeders'], { env: { DERMS_PASSWORD: 'wrong' } });
    expect([code, err]).toEqual([1, expect.stringContaining('Check DERMS_USER and DERMS_PASSWORD, or DERMS_TOKEN.')]);
  });
});

describe('status', () => {
  it('is one screen and 0 while all is well', async () => {
    await startApi({ dispatches: { list: () => Promise.resolve([]) } });
    expect(await derms(['status'])).toEqual({
      code: 0,
      err: '',
      out: [
        'All is well.',
        '',
        'DEPENDENCY   STATE',
        'API          up',
        'PostgreSQL   up',
        'MQTT broker  up',
        'Temporal     up',
        '',
        'Control loops: there are no feeders yet.',
        '',
        'No dispatch is open.',
        '',
      ].join('\n'),
    });
  });

  it('is 1 while something is degraded, and names it', async () => {
    await startApi({
      health: {
        start: () => Promise.resolve(),
        stop: () => undefined,
        dependency: (name) => ({ up: name !== 'broker', since: '', reason: name === 'broker' ? 'gone' : null }),
        loops: () => [],
        quarantine: () => null,
        emergencyStop: () => null,
        loopsReadable: () => true,
        schemaFault: () => null,
      },
      dispatches: { list: () => Promise.resolve([]) },
    });
    const { code, out } = await derms(['status']);
    expect(code).toBe(1);
    expect(out).toContain('  - the MQTT broker does not answer: gone');
    expect(out).toContain('MQTT broker  DOWN   gone');
  });

  it('is shown though nobody is logged in', async () => {
    await startApi({});
    const { code, out } = await derms(['status'], { env: { DERMS_USER: undefined } });
    expect([code, out]).toEqual([0, expect.stringContaining('Dispatches: Nobody to log in as')]);
  });

  it('is 2 with the API down, and then looks at the others itself, within 3 s', async () => {
    const startedAt = performance.now();
    const { code, out } = await derms(['status']);
    expect(performance.now() - startedAt).toBeLessThan(3_000);
    expect(code).toBe(2);
    expect(out.startsWith(`The API at ${nowhere} does not answer`)).toBe(true);
    for (const name of ['API', 'PostgreSQL', 'MQTT broker', 'Temporal']) {
      expect(out).toMatch(new RegExp(`^${name} +DOWN`, 'm'));
    }
    expect(out).toContain('Control loops: the database cannot be asked.');
    expect(JSON.parse((await derms(['status', '--json'])).out)).toMatchObject({ api: 'down', loops: null });
  });
});

describe('quarantine', () => {
  const inForce = {
    since: '2026-05-01T02:00:00.000Z',
    imposedBy: 'restore by ann',
    reason: 'restored from backup b-1',
    restoredFrom: 'b-1',
    dataAsOf: '2026-05-01T01:00:00.000Z',
    lifted: null,
  };

  it('is 1 while it is in force, and says what comes next', async () => {
    await startApi({
      quarantine: { read: () => Promise.resolve({ quarantines: [inForce], lastReconciliation: null }) },
    });
    const { code, out } = await derms(['quarantine']);
    expect(code).toBe(1);
    expect(out.split('\n')).toEqual([
      'QUARANTINED since 2026-05-01T02:00:00.000Z by restore by ann: restored from backup b-1',
      'The data is as of 2026-05-01T01:00:00.000Z.',
      'Nothing is planned, published or written.',
      '',
      'Next: compare with Temporal and the broker (docs/runbooks/restore.md), then lift it',
      '',
    ]);
  });

  it('is lifted with a reason only', async () => {
    await startApi({});
    expect((await derms(['quarantine', 'lift'])).err).toContain('--reason is needed');
  });
});

describe('dispatch', () => {
  const orders: DispatchOrder[] = [];
  beforeEach(async () => {
    orders.length = 0;
    await startApi({
      dispatches: {
        decide: (order) => {
          orders.push(order);
          const { request, dispatchId } = order;
          return Promise.resolve({
            outcome: 'accepted',
            ...{ supersedes: [], warnings: ['looser than its own'], repeated: false, open: false },
            dispatch: {
              ...{
                dispatchId,
                feederId: request.feederId,
                rootFeederId: 'north',
                requestedBy: 'olga',
                state: 'scheduled',
              },
              ...{ startsAt: NOW.toISOString(), beginsAt: NOW.toISOString(), acceptedAt: NOW.toISOString() },
              ...{ endsAt: new Date(request.endsAtMs).toISOString(), expiresAt: null, baselineKw: null },
              ...{ importLimitKw: 60, exportLimitKw: null, targetKw: null, primacy: 100, reason: request.reason },
              ...{ randomizeStartSeconds: 0, supersededBy: null, revision: 1 },
            },
          });
        },
      },
    });
  });

  it('begins now and lasts as long as it is told to', async () => {
    const { code, out } = await derms([
      'dispatch',
      '--feeder',
      'a',
      '--import-limit-kw',
      '60',
      '--for',
      '30m',
      '--reason',
      'heat',
    ]);
    expect(code).toBe(0);
    expect(out).toMatch(/^Accepted: [0-9a-f-]{36}, 2026-05-01T12:00:00.000Z to 2026-05-01T12:30:00.000Z\n {2}! looser/);
    expect(orders[0]).toMatchObject({
      request: { feederId: 'a', importLimitKw: 60, startsAtMs: null, reason: 'heat' },
      validateOnly: false,
    });
  });

  it('is only looked at with --dry-run, and named by --key', async () => {
    const args = [
      'dispatch',
      '--feeder',
      'a',
      '--target-kw',
      '-5',
      '--from',
      '2026-05-01T17:00:00Z',
      '--until',
      '2026-05-01T19:00:00Z',
    ];
    const first = await derms([...args, '--reason', 'r', '--dry-run', '--key', 'k']);
    await derms([...args, '--reason', 'r', '--key', 'k']);
    expect(first.out).toMatch(/^Would be accepted, /);
    expect([orders[0]?.validateOnly, orders[1]?.validateOnly]).toEqual([true, false]);
    expect(orders[0]?.dispatchId).toBe(orders[1]?.dispatchId);
    expect(orders[0]?.request).toMatchObject({ targetKw: -5, startsAtMs: Date.UTC(2026, 4, 1, 17) });
  });

  it.each([
    [['--import-limit-kw', '60', '--for', '1h', '--reason', 'r'], '--feeder is needed'],
    [['--feeder', 'a', '--import-limit-kw', 'x', '--for', '1h', '--reason', 'r'], '--import-limit-kw "x" is no number'],
    [['--feeder', 'a', '--import-limit-kw', '1', '--reason', 'r'], 'Exactly one of --for and --until is needed'],
    [['--feeder', 'a', '--import-limit-kw', '1', '--for', 'ever', '--reason', 'r'], '"ever" is no duration'],
  ])('%j asks for what is missing', async (args, message) => {
    expect(await derms(['dispatch', ...args])).toMatchObject({ code: 2, err: expect.stringContaining(message) });
  });

  it('that is refused says why, with a line for each fault', async () => {
    const { code, err } = await derms([
      'dispatch',
      '--feeder',
      'a',
      '--import-limit-kw=-1',
      '--for',
      '1h',
      '--reason',
      'r',
    ]);
    expect(code).toBe(1);
    expect(err).toContain('The request is not valid: The request has one fault; nothing was done.');
    expect(err).toContain('  /importLimitKw: is negative; limits carry no sign');
  });
});

describe('registry apply', () => {
  const FILE = 'feeders:\n  - {feederId: north, importLimitKw: 100, exportLimitKw: 50}\nsimulation: {seed: 1}\n';
  const write = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };

  it('sends the file and shows the difference', async () => {
    const orders: RegistryOrder[] = [];
    await startApi({
      registry: {
        apply: (order) => {
          orders.push(order);
          const none = { created: [], changed: [], unchanged: 0, absent: [], removed: [] };
          return Promise.resolve({
            applied: !order.validateOnly,
            feeders: {
              ...none,
              created: ['north'],
              changed: [{ id: 'a', fields: { importLimitKw: { from: 60, to: 40 } } }],
            },
            devices: { ...none, unchanged: 3, absent: ['ev-9'] },
            ...{ rootsTouched: [], rootsCreated: [] },
          });
        },
      },
    });
    const path = write('good.yaml', FILE);
    expect(await derms(['registry', 'apply', path, '--dry-run'])).toEqual({
      code: 0,
      err: '',
      out: [
        'Nothing was changed; this is what would be:',
        'feeders: 1 created, 1 changed, 0 removed, 0 unchanged',
        '  + north',
        '  ~ a: importLimitKw 60 → 40',
        'devices: 0 created, 0 changed, 0 removed, 3 unchanged, 1 not in the file',
        '',
      ].join('\n'),
    });
    expect(orders[0]).toMatchObject({ validateOnly: true, prune: false, file: { devices: [] } });
    expect(orders[0]?.file).not.toHaveProperty('simulation');
  });

  it('finds the faults of a file by their lines, before anything is sent', async () => {
    const path = write('bad.yaml', 'feeders:\n  - feederId: north\n    importLimitKw: -1\n    exportLimitKw: 5\n');
    const { code, err } = await derms(['registry', 'apply', path]);
    expect(code).toBe(1);
    expect(err).toContain('/feeders/0/importLimitKw: line 3: ');
  });

  it('says that a file cannot be read', async () => {
    expect(await derms(['registry', 'apply', join(folder, 'none.yaml')])).toMatchObject({
      code: 2,
      err: expect.stringContaining('cannot be read'),
    });
  });
});

describe('tokens', () => {
  const ID = '0193a5b0-0000-7000-8000-000000000001';
  const aToken = {
    ...{ tokenId: ID, name: 'nightly', issuer: 'derms-production', scopes: ['jobs:run:db-backup'], purpose: 'CronJob' },
    ...{ issuedAt: '2026-04-01T12:00:00.000Z', issuedBy: 'olga', expiresAt: '2026-06-30T12:00:00.000Z' },
    ...{ lastUsedAt: '2026-05-01T02:00:00.000Z', lastUsedAddress: '10.0.0.1', revoked: null },
  };

  it('of machines are listed with what they may and when they were used last', async () => {
    const over = { ...aToken, name: 'old', expiresAt: '2026-04-30T12:00:00.000Z', lastUsedAt: null };
    await startApi({ machineTokens: { list: () => Promise.resolve([aToken, over]) } });
    const { code, out } = await derms(['machine-tokens']);
    expect([code, out.trimEnd().split('\n')]).toEqual([
      0,
      [
        expect.stringMatching(/ID +NAME +STATE +LAST USED +SCOPES/),
        `${ID}  nightly  until 2026-06-30       2026-05-01T02:00:00.000Z  jobs:run:db-backup`,
        `${ID}  old      over since 2026-04-30  never                     jobs:run:db-backup`,
      ],
    ]);
  });

  it('of machines are printed alone, to be piped, and let this program in', async () => {
    const list = () => Promise.resolve([]);
    await startApi({
      jobs: { declared: new Map([['db-backup', {} as never]]) },
      machineTokens: { issue: () => Promise.resolve(aToken), list },
      authentication: authenticationOf({
        users,
        register: {
          ...UNREVOKED,
          machineOf: () => ({ kind: 'machine', user: 'machine:nightly', tokenId: ID, scopes: ['read:runs'] }),
        },
      }),
    });
    const asked = ['machine-tokens', 'issue', 'nightly', '--scope', 'jobs:run:db-backup', '--purpose', 'CronJob'];
    const { code, out } = await derms(asked);
    expect([code, out]).toEqual([0, expect.stringMatching(/^derms_machine_[\w-]{43}\n$/)]);
    const env = { DERMS_TOKEN: out.trim(), DERMS_USER: '', DERMS_PASSWORD: '' };
    expect((await derms(['machine-tokens'], { env })).err).toContain('This is for people: no machine token opens it.');
  });

  it('end one by one, or all that were issued before a moment', async () => {
    const revoked = { at: '2026-05-01T12:00:00.000Z', by: 'olga', reason: 'leaked' };
    const moment = { id: 1, at: revoked.at, by: 'olga', reason: 'leaked', issuedBefore: '2026-05-01T12:00:00.000Z' };
    const orders: unknown[] = [];
    await startApi({
      machineTokens: { revoke: () => Promise.resolve({ ...aToken, revoked }) },
      revocations: {
        revoke: ({ user, machines, issuedBefore }) => {
          orders.push([user, machines, issuedBefore]);
          return Promise.resolve({ revocation: { ...moment, user }, machineTokens: machines ? 2 : 0 });
        },
      },
    });
    expect((await derms(['machine-tokens', 'revoke', ID, '--reason', 'leaked'])).out).toBe(
      'Revoked nightly; refused everywhere within 5 s.\n',
    );
    expect((await derms(['revoke-tokens'])).code).toBe(2);
    expect((await derms(['revoke-tokens', '--reason', 'leaked'])).out).toBe(
      'All tokens issued before 2026-05-01T12:00:00.000Z, and 2 of machines are refused everywhere within 5 s.\n',
    );
    const before = '2026-04-30T12:00:00Z';
    const { out } = await derms(['revoke-tokens', '--reason', 'leaked', '--user', 'olga', '--before', before]);
    expect(out).toBe('The tokens of olga issued before 2026-05-01T12:00:00.000Z are refused everywhere within 5 s.\n');
    expect(orders).toEqual([
      [null, true, null],
      ['olga', false, before],
    ]);
  });
});

describe('hash-password', () => {
  it('makes the whole entry of a user, dated', async () => {
    const asked = ['hash-password', '--user', 'olga', '--role', 'operator'];
    const { code, out } = await derms(asked, { input: PASSWORD });
    expect(code).toBe(0);
    const [entry] = parseAuthUsers(`[${out}]`, { strict: true, now: NOW });
    expect(entry).toMatchObject({ user: 'olga', role: 'operator', passwordSetOn: '2026-05-01' });
    expect(await verifyPassword(PASSWORD, entry?.hash ?? unmatchableHash())).toBe(true);
  });

  it.each([
    [['--user', 'olga'], PASSWORD, 'Usage: '],
    [['--user', 'olga', '--role', 'root'], PASSWORD, 'Usage: '],
    [[], 'Short-1', 'The password has fewer than 12 characters.'],
    [[], 'all in lower case', 'The password needs three of: lower case, upper case, digits, anything else.'],
    [['--user', 'olga', '--role', 'viewer'], 'OLGA has been here 9', 'The password contains the name of its user.'],
  ])('refuses %j with "%s"', async (options, input, message) => {
    const { code, out, err } = await derms(['hash-password', ...options], { input });
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(message);
  });

  it('reads the password from standard input and prints a hash that fits it', async () => {
    const { code, out } = await derms(['hash-password'], { input: `${PASSWORD}\nignored` });
    expect(code).toBe(0);
    expect(await verifyPassword(PASSWORD, parsePasswordHash(out.trim()) ?? unmatchableHash())).toBe(true);
  });

  it('takes no short one, and none as an argument', async () => {
    expect(await derms(['hash-password'], { input: 'short\n' })).toMatchObject({ code: 2, out: '' });
    expect(await derms(['hash-password', PASSWORD])).toMatchObject({ code: 2, out: '' });
  });
});

describe('backup-key', () => {
  it('prints a key that the ring takes, named after the day', async () => {
    const { code, out } = await derms(['backup-key']);
    expect(code).toBe(0);
    expect(parseKeyRing(out).currentKeyId).toMatch(/^2026-05-01-[0-9a-f]{4}$/);
  });

  it('takes an id, and never draws a key twice', async () => {
    const [one, two] = [await derms(['backup-key', '--id', 'k1']), await derms(['backup-key', '--id', 'k1'])];
    expect(parseKeyRing(one.out).currentKeyId).toBe('k1');
    expect(one.out).not.toBe(two.out);
    expect(await derms(['backup-key', '--id', 'k:1'])).toMatchObject({ code: 2, out: '' });
  });
});

describe('the audit log', () => {
  const entry = (id: string) => ({
    ...{ id, at: '2026-05-01T12:00:00.000001Z', writtenIn: '7', actor: 'olga', role: 'admin', action: 'feeder.change' },
    ...{ subject: '=north', outcome: 'done' as const, requestId: 'r', address: '192.0.2.7', detail: '{"a": 1}' },
    ...{ position: id, hash: 'ab' },
  });
  const exporting = (entries: () => AsyncIterable<ReturnType<typeof entry>>) =>
    startApi({
      audit: { list: () => Promise.resolve([]), append: () => Promise.resolve(), export: entries },
    });
  const path = () => join(folder, 'audit-export');
  async function* two() {
    yield entry('1');
    yield await Promise.resolve(entry('2'));
  }

  it('is written into a file that only its owner reads, in either form', async () => {
    await exporting(two);
    expect(await derms(['audit', 'export', path()])).toEqual({
      code: 0,
      err: '',
      out: `The audit log is in ${path()}.\n`,
    });
    const lines = readFileSync(path(), 'utf8').trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([entry('1'), entry('2')]);
    expect(statSync(path()).mode & 0o777).toBe(0o600);
    expect((await derms(['audit', 'export', path(), '--format', 'csv', '--from', '2026-05-01T00:00:00Z'])).code).toBe(
      0,
    );
    expect(readFileSync(path(), 'utf8').split('\n')[1]).toContain("'=north"); // no formula
  });

  it('that breaks off leaves the file as it was, and nothing half written', async () => {
    writeFileSync(path(), 'of yesterday');
    await exporting(async function* () {
      yield await Promise.resolve(entry('1'));
      throw new Error('the database is gone');
    });
    expect((await derms(['audit', 'export', path()])).code).not.toBe(0);
    expect(readFileSync(path(), 'utf8')).toBe('of yesterday');
    expect(existsSync(`${path()}.part`)).toBe(false);
  });

  it('says what to write when no file is named', async () => {
    expect((await derms(['audit', 'export'])).err).toContain('Usage: ');
  });
});
