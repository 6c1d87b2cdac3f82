import { Gauge, type Registry } from '../observability/metrics';
import { readCertificates } from './certificates';
import { readKeyPair } from './key-pair';

/** One PEM file of ours: a certificate with its key, or authorities that we believe. */
export interface CertificateFile {
  /** `api`, `mqtt-client`, `mqtt-ca` … */
  readonly certificate: string;
  readonly certPath: string;
  readonly keyPath?: string | undefined;
}

export interface CertificateState {
  readonly certificate: string;
  /** When the first certificate of the file runs out; null while the file cannot be used. */
  readonly expiresAt: Date | null;
  /** null: usable. */
  readonly fault: string | null;
}

const DAY_MS = 86_400_000;

/** How the files are now; never throws. */
export const certificateStates = (files: readonly CertificateFile[]): readonly CertificateState[] =>
  files.map(({ certificate, certPath, keyPath }) => {
    try {
      const { expiresAt } = keyPath === undefined ? readCertificates(certPath) : readKeyPair({ certPath, keyPath });
      return { certificate, expiresAt, fault: null };
    } catch (error) {
      return { certificate, expiresAt: null, fault: error instanceof Error ? error.message : String(error) };
    }
  });

/** Looked at whenever somebody scrapes, so that a renewal, good or bad, is seen at once. */
export function registerCertificateMetrics(
  registry: Registry,
  files: readonly CertificateFile[],
  now: () => number = Date.now,
): void {
  const labelNames = ['certificate'] as const;
  const registers = [registry];
  new Gauge({
    name: 'derms_certificate_days_left',
    help: 'Days until a certificate file of this process runs out; stays as it was while the file cannot be used.',
    labelNames,
    registers,
    collect() {
      for (const { certificate, expiresAt } of certificateStates(files))
        if (expiresAt !== null) this.set({ certificate }, (expiresAt.getTime() - now()) / DAY_MS);
    },
  });
  new Gauge({
    name: 'derms_certificate_usable',
    help: '0: what lies on disk is missing, damaged or no pair; the process goes on with what it had.',
    labelNames,
    registers,
    collect() {
      for (const { certificate, fault } of certificateStates(files)) this.set({ certificate }, fault === null ? 1 : 0);
    },
  });
}
