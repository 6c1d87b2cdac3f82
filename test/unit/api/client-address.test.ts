import { addressRange } from '../../../api/client-address';
import { createLogger } from '../../../observability/logger';
import { aUser, authenticationOf, backOffOf, startApp, type AppUnderTest } from './app-under-test';

const PASSWORD = 'Correct horse battery 9';
const log = createLogger({ service: 'derms', role: 'test', level: 'silent', pretty: false });
let app: AppUnderTest;
let info: jest.SpyInstance;
let warn: jest.SpyInstance;
beforeEach(() => {
  info = jest.spyOn(log, 'info').mockImplementation(() => undefined);
  warn = jest.spyOn(log, 'warn').mockImplementation(() => undefined);
});
afterEach(async () => {
  await app.close();
  jest.restoreAllMocks();
});

const start = async (trustedProxies: readonly string[]): Promise<void> => {
  const authentication = authenticationOf({ users: [aUser('olga', 'viewer', PASSWORD)], backOff: backOffOf(() => 0) });
  app = await startApp({ log, authentication, settings: { trustedProxies } });
};

/** As it is logged, audited, and counted by. */
async function seenAs(forwardedFor: string): Promise<{ logged: unknown; audited: unknown }> {
  const audit = jest.spyOn(app.ports.audit, 'append');
  const headers = { 'x-forwarded-for': forwardedFor };
  const login = { body: { user: 'olga', password: PASSWORD }, headers };
  const { accessToken } = (await app.call('POST', '/api/auth/login', login)).body;
  const authorization = `Bearer ${accessToken}`;
  await app.call('POST', '/api/quarantine/lift', { body: {}, headers: { ...headers, authorization } });
  const lines = info.mock.calls.filter(([, text]) => text === 'request') as [{ address: string }, string][];
  return { logged: lines.at(-1)?.[0].address, audited: audit.mock.calls.at(-1)?.[0].address };
}

describe('the address of a client', () => {
  it.each(['203.0.113.9', '203.0.113.9, 198.51.100.7', 'nonsense', ''])(
    'is that of the connection, whatever X-Forwarded-For says: "%s"',
    async (forwardedFor) => {
      await start([]);
      expect(await seenAs(forwardedFor)).toEqual({ logged: '127.0.0.1', audited: '127.0.0.1' });
    },
  );

  it.each([
    ['203.0.113.9', '203.0.113.9'],
    ['2001:db8::9', '2001:db8::9'],
    ['::ffff:203.0.113.9', '203.0.113.9'],
    // What the client wrote itself stands before what the proxy has seen.
    ['198.51.100.7, 203.0.113.9', '203.0.113.9'],
    ['127.0.0.1, 203.0.113.9', '203.0.113.9'],
    // A second proxy of ours in between.
    ['198.51.100.7, 203.0.113.9, 10.1.2.3', '203.0.113.9'],
    ['nonsense', '127.0.0.1'],
    ['203.0.113.9, <script>', '127.0.0.1'],
  ])('behind proxies that are named, "%s" is %s', async (forwardedFor, address) => {
    await start(['127.0.0.1', '10.0.0.0/8']);
    expect(await seenAs(forwardedFor)).toEqual({ logged: address, audited: address });
  });

  it('is that of the connection when another proxy is named than the one that calls', async () => {
    await start(['10.0.0.0/8']);
    expect(await seenAs('203.0.113.9')).toEqual({ logged: '127.0.0.1', audited: '127.0.0.1' });
  });

  it('is what failed log-ins are counted by: others behind the same proxy are not held up', async () => {
    await start(['127.0.0.1']);
    const login = async (address: string, password: string) => {
      const headers = { 'x-forwarded-for': address };
      return (await app.call('POST', '/api/auth/login', { body: { user: 'olga', password }, headers })).status;
    };
    for (let failure = 0; failure < 5; failure += 1) await login('203.0.113.9', 'wrong');
    expect(await login('203.0.113.9', PASSWORD)).toBe(429);
    expect(await login('203.0.113.10', PASSWORD)).toBe(200);
    // Claiming another address in front changes nothing.
    expect(await login('198.51.100.7, 203.0.113.9', PASSWORD)).toBe(429);
  });
});

describe('a proxy that nobody named', () => {
  it('is pointed out once', async () => {
    await start([]);
    await seenAs('203.0.113.9');
    await seenAs('203.0.113.9');
    expect(warn.mock.calls.map(([, text]) => text as string)).toEqual([
      'X-Forwarded-For is ignored: if this is your proxy, name it in TRUST_PROXY',
    ]);
  });
});

describe('the range of an address', () => {
  it.each([
    ['203.0.113.9', '203.0.113.9'],
    ['2001:db8:0:1::9', '2001:db8:0:1::/64'],
    ['2001:DB8:0:1:ffff:ffff:ffff:ffff', '2001:db8:0:1::/64'],
    ['2001:0db8:0000:0001::', '2001:db8:0:1::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['unknown', 'unknown'],
  ])('of %s is %s', (address, range) => {
    expect(addressRange(address)).toBe(range);
  });
});
