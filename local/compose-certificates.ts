import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { authorityOf, makeCertificateAuthority, writeAuthority, writePair } from './certificate-authority';
import type { CertificateAuthority } from './certificate-authority';

const AUTHORITY_DAYS = 3_650;
const DAYS = 365;

/** Who presents a certificate in docker-compose.yml, by the name that its clients know it by. `derms`: our own processes. */
export const COMPOSE_CERTIFICATES = ['postgres', 'mosquitto-active', 'mosquitto-standby', 'temporal', 'derms'] as const;

/** Writes a pair for each, and the authority's own when it is new (`authority` null). */
export function composeCertificates(folder: string, authority: CertificateAuthority | null): void {
  const issuer = authority ?? makeCertificateAuthority('DERMS compose', AUTHORITY_DAYS);
  if (authority === null) {
    writeAuthority(folder, 'ca', issuer);
    writePair(folder, 'ca', issuer);
  }
  for (const name of COMPOSE_CERTIFICATES) {
    const names = [name, 'localhost'];
    writePair(folder, name, issuer.issue({ commonName: name, names, addresses: ['127.0.0.1'], daysLeft: DAYS }));
  }
}

/** @throws {Error} when there is none: then nothing was made yet. */
export function readComposeAuthority(folder: string): CertificateAuthority {
  try {
    const [cert, key] = ['ca.crt', 'ca.key'].map((name) => readFileSync(join(folder, name), 'utf8'));
    return authorityOf({ cert: cert ?? '', key: key ?? '' });
  } catch (cause) {
    throw new Error(`${folder} holds no authority: \`npm run setup:env\` makes one`, { cause });
  }
}
