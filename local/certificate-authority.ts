import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { md, pki } from 'node-forge';

/** A certificate and its key, in PEM form. */
export interface Issued {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateWish {
  /** Common name: who a client is. */
  readonly commonName?: string;
  readonly names?: readonly string[];
  readonly addresses?: readonly string[];
  /** Days from now; negative: it has run out. Default 30. */
  readonly daysLeft?: number;
}

/** An authority of one machine: for the stack of docker-compose.yml, and for tests, which forget it. */
export interface CertificateAuthority {
  readonly cert: string;
  /** Whoever has it can pass for every server and client of this authority. */
  readonly key: string;
  issue(wish: CertificateWish): Issued;
}

const DAY_MS = 86_400_000;
const DNS_NAME = 2;
const IP_ADDRESS = 7;

export function makeCertificateAuthority(commonName = 'test authority', daysLeft = 30): CertificateAuthority {
  const { key, certificate } = draft(commonName, daysLeft);
  certificate.setIssuer(certificate.subject.attributes);
  certificate.setExtensions([
    { name: 'basicConstraints', cA: true, critical: true },
    { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    { name: 'subjectKeyIdentifier' },
  ]);
  certificate.sign(pki.privateKeyFromPem(key), digest());
  return authorityOf({ cert: pki.certificateToPem(certificate), key });
}

/** One that was made before. @throws {Error} when the two are no certificate and key in PEM form. */
export function authorityOf({ cert, key }: Issued): CertificateAuthority {
  const { subject } = pki.certificateFromPem(cert);
  return {
    cert,
    key,
    issue: ({ commonName: name = 'test', names = [], addresses = [], daysLeft = 30 }) => {
      const issued = draft(name, daysLeft);
      issued.certificate.setIssuer(subject.attributes);
      issued.certificate.setExtensions([
        { name: 'basicConstraints', cA: false },
        { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
        {
          name: 'subjectAltName',
          altNames: [
            ...names.map((value) => ({ type: DNS_NAME, value })),
            ...addresses.map((ip) => ({ type: IP_ADDRESS, ip })),
          ],
        },
      ]);
      issued.certificate.sign(pki.privateKeyFromPem(key), digest());
      return { cert: pki.certificateToPem(issued.certificate), key: issued.key };
    },
  };
}

/** Writes `<name>.crt` and `<name>.key`; returns their paths. */
export function writePair(folder: string, name: string, { cert, key }: Issued): { certPath: string; keyPath: string } {
  mkdirSync(folder, { recursive: true });
  const certPath = join(folder, `${name}.crt`);
  const keyPath = join(folder, `${name}.key`);
  writeFileSync(certPath, cert);
  writeFileSync(keyPath, key, { mode: 0o600 });
  return { certPath, keyPath };
}

/** Writes the certificate of an authority; returns its path. */
export function writeAuthority(folder: string, name: string, { cert }: CertificateAuthority): string {
  const path = join(folder, `${name}.crt`);
  writeFileSync(path, cert);
  return path;
}

function draft(commonName: string, daysLeft: number): { key: string; certificate: pki.Certificate } {
  const { privateKey: key, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const certificate = pki.createCertificate();
  certificate.publicKey = pki.publicKeyFromPem(publicKey);
  certificate.serialNumber = `01${randomBytes(8).toString('hex')}`;
  certificate.validity.notBefore = new Date(Date.now() - 60 * DAY_MS);
  certificate.validity.notAfter = new Date(Date.now() + daysLeft * DAY_MS);
  certificate.setSubject([{ name: 'commonName', value: commonName }]);
  return { key, certificate };
}

const digest = () => md.sha256.create();
