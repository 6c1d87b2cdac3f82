import type { S3 } from '@aws-sdk/client-s3';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createS3Storage } from '../../../storage/s3';
import type { S3Location } from '../../../storage/s3-client';
import { upload } from '../../../storage/s3-upload';
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

const storageOf = (idleMs = 1_000, changes: Partial<S3Location> = {}) => {
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
    ...changes,
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

describe('an S3 server that is to encrypt', () => {
  it.each`
    encryption   | kmsKeyId         | bytes | asked
    ${'none'}    | ${undefined}     | ${1}  | ${[undefined, undefined]}
    ${'AES256'}  | ${undefined}     | ${1}  | ${['AES256', undefined]}
    ${'aws:kms'} | ${'alias/derms'} | ${1}  | ${['aws:kms', 'alias/derms']}
    ${'aws:kms'} | ${'alias/derms'} | ${30} | ${['aws:kms', 'alias/derms']}
  `(
    'with $encryption is told so with what begins an object of $bytes bytes',
    async ({ encryption, kmsKeyId, bytes, asked }: EncryptionCase) => {
      const seen: unknown[] = [];
      answer = (request, response) => {
        const { headers, method, url } = request;
        if ((method === 'PUT' && !url?.includes('partNumber')) || url?.includes('uploads'))
          seen.push([headers['x-amz-server-side-encryption'], headers['x-amz-server-side-encryption-aws-kms-key-id']]);
        refusal(403, 'AccessDenied')(request, response);
      };
      const kms = kmsKeyId === undefined ? {} : { kmsKeyId };
      const storage = await storageOf(1_000, { serverEncryption: encryption, ...kms, partBytes: 10 });
      await expect(storage.put('x', inChunks(Buffer.alloc(bytes)))).rejects.toMatchObject({ reason: 'denied' });
      expect(seen).toEqual([asked]);
    },
  );
});

interface EncryptionCase {
  readonly encryption: S3Location['serverEncryption'];
  readonly kmsKeyId?: string;
  readonly bytes: number;
  readonly asked: readonly unknown[];
}

describe('pitfall: an upload has ten thousand parts at most', () => {
  it('and one that would have more fails with what to set, leaves nothing, and is never cut to fit', async () => {
    const sent: number[] = [];
    const removed: string[] = [];
    const s3 = {
      config: { requestChecksumCalculation: () => Promise.resolve('WHEN_REQUIRED') },
      createMultipartUpload: () => Promise.resolve({ UploadId: 'u' }),
      uploadPart: ({ PartNumber }: { PartNumber: number }) =>
        Promise.resolve({ ETag: '"e"', sent: sent.push(PartNumber) }),
      abortMultipartUpload: ({ UploadId }: { UploadId: string }) => Promise.resolve(removed.push(UploadId)),
      listParts: () => Promise.reject(Object.assign(new Error('gone'), { name: 'NoSuchUpload' })),
    } as unknown as S3; // an upload asks for nothing else
    const location = { bucket: 'bucket', prefix: '', partBytes: 1_024, partsInFlight: 2, serverEncryption: 'none' };
    const content = inChunks(Buffer.alloc(10_001 * 1_024), 65_536);
    await expect(upload(s3, location as S3Location, 'x', content, {})).rejects.toMatchObject({
      reason: 'full',
      message: expect.stringMatching(/^x is larger than 10000 parts of .+ MiB; raise BACKUP_S3_PART_MIB$/),
    });
    expect([sent.length, removed]).toEqual([10_000, ['u']]);
  }, 60_000);
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
