import { once } from 'node:events';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { Agent, get as httpGet, type RequestOptions, type Server } from 'node:http';
import { Agent as HttpsAgent, get as httpsGet } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type SecureContextOptions, type TLSSocket } from 'node:tls';
import { createApiServer } from '../../../api/http-server';
import { Registry } from '../../../observability/metrics';
import { registerCertificateMetrics } from '../../../tls/certificate-metrics';
import type { KeyPairPaths } from '../../../tls/key-pair';
import { ERROR, recordingLog } from '../../adapter/broker/log-lines';
import { makeCertificateAuthority, writePair, type Issued } from '../../support/certificate-authority';
import { eventually } from '../../support/servers';

const folder = mkdtempSync(join(tmpdir(), 'derms-test-https-'));
const authority = makeCertificateAuthority();
const ours = authority.issue({ names: ['api.test'], daysLeft: 20 });
const servers: Server[] = [];
afterAll(async () => {
  for (const server of servers) await new Promise((resolve) => server.close(resolve).closeAllConnections());
  rmSync(folder, { recursive: true });
});

describe('the API with TLS', () => {
  it('answers over HTTPS and never in plain', async () => {
    const { port } = await serve(writePair(folder, 'ours', ours));

    expect(await ask(port)).toBe('from api.test');
    await expect(answerOf(httpGet, { port })).rejects.toThrow(/ECONNRESET|socket hang up/);
  });

  it.each([
    ['another authority', ours, { ca: makeCertificateAuthority('stranger').cert }, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ['another host name', ours, { servername: 'other.test' }, 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['a certificate that has run out', authority.issue({ names: ['api.test'], daysLeft: -1 }), {}, 'CERT_HAS_EXPIRED'],
    ['TLS 1.1', ours, { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'ALL@SECLEVEL=0' } as const, 'EPROTO'],
  ])('is not believed, or does not answer, with %s', async (name, pair, options, code) => {
    const { port } = await serve(writePair(folder, name.replaceAll(/\W/g, '-'), pair));

    await expect(ask(port, options)).rejects.toMatchObject({ code });
  });

  it('takes TLS 1.2', async () => {
    const { port } = await serve(writePair(folder, 'old-but-fine', ours));

    expect(await ask(port, { maxVersion: 'TLSv1.2' })).toBe('from api.test');
  });

  it.each([
    [
      'a key of another certificate',
      { keyPath: writePair(folder, 'stranger', authority.issue({})).keyPath },
      'is not the key of the certificate',
    ],
    ['no certificate', { certPath: join(folder, 'nowhere.crt') }, 'cannot be read (ENOENT)'],
  ])('does not begin with %s', (_case, paths, message) => {
    const begin = () =>
      createApiServer(() => undefined, { ...writePair(folder, 'begin', ours), ...paths }, recordingLog());

    expect(begin).toThrow(message);
  });
});

describe('a renewed certificate', () => {
  const renewed = authority.issue({ names: ['renewed.test'], daysLeft: 80 });

  it('is taken by new connections, without restart, when Kubernetes swaps the link above the files', async () => {
    const mount = mountedSecret('swap', ours);
    const { port, lines } = await serve(mount.paths);
    const open = connect({ port, host: '127.0.0.1', ca: authority.cert, servername: 'api.test' });
    await once(open, 'secureConnect');

    mount.swap(renewed);
    await eventually(() => expectName(port, 'renewed.test'));

    expect(await askOn(open)).toContain('HTTP/1.1 200');
    expect(lines).toMatchObject([{ msg: 'the certificate of the API was renewed' }]);
    open.destroy();
  });

  it('that is broken leaves the one before in force, is told once, and shows in a metric until it is mended', async () => {
    const mount = mountedSecret('broken', ours);
    const { port, lines } = await serve(mount.paths);
    const registry = new Registry();
    registerCertificateMetrics(registry, [{ certificate: 'api', ...mount.paths }]);
    const metric = async (name: string): Promise<string | undefined> =>
      new RegExp(`^${name}{certificate="api"} (.*)$`, 'm').exec(await registry.metrics())?.[1];
    expect(await metric('derms_certificate_usable')).toBe('1');
    expect(Number(await metric('derms_certificate_days_left'))).toBeCloseTo(20, 2);

    mount.swap({ cert: renewed.cert, key: ours.key });
    await eventually(() => {
      expect(lines).toMatchObject([
        { level: ERROR, msg: 'the new certificate of the API cannot be used; the one before stays' },
      ]);
    });
    expect(await metric('derms_certificate_usable')).toBe('0');
    await expectName(port, 'api.test');

    mount.swap(renewed);
    await eventually(() => expectName(port, 'renewed.test'));
    expect(await metric('derms_certificate_usable')).toBe('1');
    expect(Number(await metric('derms_certificate_days_left'))).toBeCloseTo(80, 2);
    expect(lines.filter(({ level }) => level === ERROR)).toHaveLength(1);
  });
});

async function serve(paths: KeyPairPaths) {
  const { log, lines } = recordingLog();
  const server = createApiServer((_request, response) => response.end('from api.test'), paths, { log, everyMs: 20 });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, lines };
}

const ask = (port: number, options: object = {}): Promise<string> =>
  answerOf(httpsGet, { port, ...{ ca: authority.cert, servername: 'api.test' }, ...options, agent: new HttpsAgent() });

function answerOf(get: typeof httpGet, options: RequestOptions & SecureContextOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', agent: new Agent(), ...options }, (response) => {
      response.setEncoding('utf8').on('data', resolve);
    }).on('error', reject);
  });
}

async function askOn(socket: TLSSocket): Promise<string> {
  socket.write('GET / HTTP/1.1\r\nhost: api.test\r\n\r\n');
  const [answer] = (await once(socket, 'data')) as [Buffer];
  return answer.toString();
}

/** Connects anew and looks at the certificate that is shown. */
async function expectName(port: number, name: string): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1', ca: authority.cert, servername: name });
  await once(socket, 'secureConnect');
  socket.destroy();
}

/** As kubelet mounts it: files that are links through `..data`, a link that is renamed over by each renewal. */
function mountedSecret(name: string, first: Issued) {
  const mount = join(folder, name);
  let version = 0;
  const swap = (pair: Issued): void => {
    version += 1;
    const data = `..${String(version)}`;
    mkdirSync(join(mount, data), { recursive: true });
    writeFileSync(join(mount, data, 'tls.crt'), pair.cert);
    writeFileSync(join(mount, data, 'tls.key'), pair.key);
    symlinkSync(data, join(mount, '..data_tmp'));
    renameSync(join(mount, '..data_tmp'), join(mount, '..data'));
  };
  swap(first);
  const paths = { certPath: join(mount, 'tls.crt'), keyPath: join(mount, 'tls.key') };
  symlinkSync('..data/tls.crt', paths.certPath);
  symlinkSync('..data/tls.key', paths.keyPath);
  return { paths, swap };
}
