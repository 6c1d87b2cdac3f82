import { createServer, type RequestListener, type Server } from 'node:http';
import { createS3Storage } from '../../../storage/s3';
import { collect, inChunks } from '../../support/chunks';

// What a real server is not easily brought to say; all else is among the proofs.

let server: Server;
let answer: RequestListener;

beforeAll(async () => {
  server = createServer((request, response) => answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const storageOf = (idleMs = 1_000) => {
  const { port } = server.address() as { port: number };
  return createS3Storage({
    bucket: 'bucket',
    prefix: '',
    endpoint: `http://127.0.0.1:${String(port)}`,
    region: 'us-east-1',
    forcePathStyle: true,
    serverEncryption: 'none',
    credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
    partBytes: 5 * 1024 ** 2,
    partsInFlight: 2,
    idleMs,
  });
};

interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly doing: string;
  readonly reason: string;
}

const refusal =
  (status: number, code: string): RequestListener =>
  (request, response) => {
    request.resume();
    response.writeHead(status, { 'content-type': 'application/xml' });
    response.end(`<Error><Code>${code}</Code><Message>because</Message></Error>`);
  };

describe('an S3 server that refuses', () => {
  it.each`
    status | code                            | doing       | reason
    ${403} | ${'AccessDenied'}               | ${'remove'} | ${'locked'}
    ${403} | ${'AccessDenied'}               | ${'put'}    | ${'denied'}
    ${403} | ${'InvalidAccessKeyId'}         | ${'remove'} | ${'denied'}
    ${507} | ${'XMinioStorageFull'}          | ${'put'}    | ${'full'}
    ${409} | ${'ConditionalRequestConflict'} | ${'put'}    | ${'exists'}
    ${404} | ${'NoSuchBucket'}               | ${'put'}    | ${'unavailable'}
    ${400} | ${'SomethingElse'}              | ${'put'}    | ${'unavailable'}
  `('with $status $code to $doing is $reason', async ({ status, code, doing, reason }: Refusal) => {
    answer = refusal(status, code);
    const storage = await storageOf();
    const done = doing === 'remove' ? storage.remove('x') : storage.put('x', inChunks(Buffer.from('x')));
    await expect(done).rejects.toMatchObject({ reason, message: expect.stringContaining(`${code}: because`) });
  });

  it('removing what is not there is done', async () => {
    answer = refusal(404, 'NoSuchKey');
    await (await storageOf()).remove('x');
  });
});

describe('an S3 server that goes silent', () => {
  it('before it answers is asked four times, and given up', async () => {
    let asked = 0;
    answer = () => (asked += 1);
    const storage = await storageOf(200);
    await expect(storage.get('x')).rejects.toMatchObject({ reason: 'unavailable' });
    expect(asked).toBe(4);
  });

  it('in the middle of an object is given up, and the object is not taken for whole', async () => {
    answer = (_, response) => {
      response.writeHead(200, { 'content-length': '100', etag: '"e"' });
      response.write('half');
    };
    const storage = await storageOf(200);
    const got = collect(await storage.get('x'));
    await expect(got).rejects.toMatchObject({
      reason: 'damaged',
      message: 'the server does not continue x at byte 4',
    });
  });

  it('after an answer that says another length than it sends is not believed', async () => {
    answer = (request, response) => {
      const at = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
      response.writeHead(at > 0 ? 206 : 200, {
        'content-length': '100',
        'content-range': `bytes ${String(at)}-99/100`,
        etag: '"e"',
      });
      if (at === 0) response.write('half');
      else response.flushHeaders();
      setTimeout(() => response.destroy(), 20);
    };
    const got = collect(await (await storageOf()).get('x'));
    await expect(got).rejects.toMatchObject({ reason: 'unavailable', message: 'x ended after 4 of 100 bytes' });
  });
});
