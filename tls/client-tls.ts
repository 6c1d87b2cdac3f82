import { readCertificates } from './certificates';
import { readKeyPair } from './key-pair';

export interface ClientTlsOptions {
  /** As it is called in metrics and logs. */
  readonly name: string;
  /** Authorities that the server's certificate may come from; default Node's own. */
  readonly caPath?: string | undefined;
  readonly certPath?: string | undefined;
  readonly keyPath?: string | undefined;
  /** Host name that the certificate must carry; default the host that is asked for. */
  readonly serverName?: string | undefined;
  /** false: nobody looks at the certificate. */
  readonly verify: boolean;
}

/** What a connection presents and believes; the parts that are not configured are left out. */
export interface TlsMaterial {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

export interface ClientTls extends ClientTlsOptions {
  /** As the files are now; what cannot be used just now is left as it was. The same object while nothing changed. */
  readonly material: () => TlsMaterial;
}

export const OLDEST_TLS = 'TLSv1.2';

/**
 * Reads the files of a client once, to find out that they are usable, and again for each new connection.
 *
 * @throws {CertificateError} when one is missing or damaged, or key and certificate do not belong together.
 */
export function openClientTls(options: ClientTlsOptions): ClientTls {
  let last = readMaterial(options);
  return {
    ...options,
    material: () => {
      try {
        const now = readMaterial(options);
        if (!same(now, last)) last = now;
      } catch {
        // In the midst of being replaced, or broken: the metric of the certificate says so.
      }
      return last;
    },
  };
}

function readMaterial({ caPath, certPath, keyPath }: ClientTlsOptions): TlsMaterial {
  const pair = certPath === undefined || keyPath === undefined ? null : readKeyPair({ certPath, keyPath });
  return {
    ...(caPath === undefined ? {} : { ca: readCertificates(caPath).pem }),
    ...(pair === null ? {} : { cert: pair.cert, key: pair.key }),
  };
}

const same = (a: TlsMaterial, b: TlsMaterial): boolean =>
  (['ca', 'cert', 'key'] as const).every((part) => Buffer.compare(a[part] ?? NONE, b[part] ?? NONE) === 0);
const NONE = Buffer.alloc(0);
