import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** A certificate, a key or a pair of them that cannot be used; the message names the file and never what is in a key. */
export class CertificateError extends Error {
  override readonly name = 'CertificateError';
}

/** A PEM file of certificates, in its order. */
export interface Certificates {
  readonly pem: Buffer;
  readonly all: readonly X509Certificate[];
  /** When the first of them runs out. */
  readonly expiresAt: Date;
}

const PEM = /-----BEGIN (?:TRUSTED )?CERTIFICATE-----[^-]+-----END (?:TRUSTED )?CERTIFICATE-----/g;

/** @throws {CertificateError} when the file cannot be read, or holds no certificate. */
export function readCertificates(path: string): Certificates {
  const pem = readPem(path);
  const found = pem.toString('latin1').match(PEM) ?? [];
  if (found.length === 0) throw new CertificateError(`${path}: holds no certificate in PEM form`);
  try {
    const all = found.map((text) => new X509Certificate(text));
    return { pem, all, expiresAt: new Date(Math.min(...all.map(({ validTo }) => Date.parse(validTo)))) };
  } catch (cause) {
    throw new CertificateError(`${path}: holds a damaged certificate`, { cause });
  }
}

/** @throws {CertificateError} when the file cannot be read. */
export function readPem(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    const { code = String(cause) } = cause as { code?: string }; // what fs throws
    throw new CertificateError(`${path}: cannot be read (${code})`, { cause });
  }
}
