import { createPrivateKey, type KeyObject, type X509Certificate } from 'node:crypto';
import { CertificateError, readCertificates, readPem } from './certificates';

export interface KeyPairPaths {
  /** The certificate, then those between it and the authority. */
  readonly certPath: string;
  readonly keyPath: string;
}

/** A certificate with the key that belongs to it. */
export interface KeyPair {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly expiresAt: Date;
}

/** @throws {CertificateError} when a file is missing or damaged, or the key belongs to another certificate. */
export function readKeyPair({ certPath, keyPath }: KeyPairPaths): KeyPair {
  const { pem: cert, all, expiresAt } = readCertificates(certPath);
  const key = readPem(keyPath);
  const [own] = all as [X509Certificate]; // never empty
  if (!own.checkPrivateKey(parseKey(key, keyPath)))
    throw new CertificateError(`${keyPath}: is not the key of the certificate in ${certPath}`);
  return { cert, key, expiresAt };
}

function parseKey(pem: Buffer, path: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    throw new CertificateError(`${path}: holds no private key in PEM form without a passphrase`); // no cause: it quotes
  }
}
