import { certificateStates } from '../tls/certificate-metrics';
import { certificateFiles } from './certificates';
import { secretDates } from './secret-dates';

type Known = Parameters<typeof secretDates>[0] & Parameters<typeof certificateFiles>[0];

/** What a process can tell of the ages of its secrets and certificates, as they are now; never a secret. */
export const secretFacts = (settings: Known, now: Date) => [
  ...secretDates(settings, now).map((date) => ({ kind: 'secret' as const, expiresAtMs: null, ...date })),
  ...certificateStates(certificateFiles(settings)).map(({ certificate, expiresAt, fault }) => ({
    kind: 'certificate' as const,
    name: certificate,
    madeOn: null,
    expiresAtMs: expiresAt?.getTime() ?? null,
    fault,
  })),
];
