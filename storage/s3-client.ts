import type { S3 } from '@aws-sdk/client-s3';

/** Which bucket, how to reach it, and how the server encrypts what we give it (our own encryption is apart from that). */
export interface S3Location {
  readonly bucket: string;
  /** Begins every key; empty or ending in `/`. */
  readonly prefix: string;
  /** Only for servers that are not Amazon's. */
  readonly endpoint?: string;
  readonly region: string;
  /** `endpoint/bucket` instead of `bucket.endpoint`. */
  readonly forcePathStyle: boolean;
  readonly serverEncryption: 'none' | 'AES256' | 'aws:kms';
  readonly kmsKeyId?: string;
  /** Without: the SDK's own chain (environment, profile, web identity, instance). */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly partBytes: number;
  readonly partsInFlight: number;
  /** No byte in either direction for this long ends a connection. */
  readonly idleMs: number;
}

const CONNECT_WITHIN_MS = 5_000;
/** One request with its body of at most a part; 16 MiB in this time are 28 kB/s. */
const REQUEST_WITHIN_MS = 600_000;
const ATTEMPTS = 4;

/** A client whose every call ends in bounded time. The SDK is loaded only here, so that nobody else pays for it. */
export async function openS3Client(location: S3Location): Promise<S3> {
  const sdk = await import('@aws-sdk/client-s3');
  const { endpoint, region, forcePathStyle, credentials, partsInFlight, idleMs } = location;
  const s3 = new sdk.S3({
    region,
    forcePathStyle,
    maxAttempts: ATTEMPTS,
    retryMode: 'standard',
    requestHandler: {
      connectionTimeout: CONNECT_WITHIN_MS,
      socketTimeout: idleMs,
      requestTimeout: REQUEST_WITHIN_MS,
      throwOnRequestTimeout: true,
      httpAgent: { keepAlive: true, maxSockets: partsInFlight + 16 },
      httpsAgent: { keepAlive: true, maxSockets: partsInFlight + 16 },
    },
    ...(endpoint !== undefined && { endpoint }),
    ...(credentials !== undefined && { credentials }),
  });
  leaveBodiesUnsigned(s3);
  return s3;
}

/**
 * What we send is not hashed a second time for the signature: that is a quarter of what sending costs both sides. Its
 * CRC32, which the server checks, is a signed header, and what is stored is encrypted, authenticated and read back.
 */
function leaveBodiesUnsigned(s3: S3): void {
  s3.middlewareStack.addRelativeTo(
    <Args, Answer>(next: (args: Args) => Promise<Answer>) =>
      (args: Args): Promise<Answer> => {
        const { request } = args as { request?: { body?: unknown; headers?: Record<string, string> } };
        const { body, headers } = request ?? {};
        const isSummed =
          headers !== undefined && Object.keys(headers).some((name) => name.startsWith('x-amz-checksum-'));
        if (body instanceof Uint8Array && isSummed) headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD';
        return next(args);
      },
    { relation: 'before', toMiddleware: 'httpSigningMiddleware', name: 'leaveBodiesUnsigned' },
  );
}
