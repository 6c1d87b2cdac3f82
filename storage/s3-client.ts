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
  return new sdk.S3({
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
}
