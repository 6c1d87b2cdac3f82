import type { AlertCase } from '../alert-case';

const lag = (values: string) => ({ derms_audit_sealed_lag_seconds: values });
const head = (values: string) => ({ derms_audit_head_timestamp_seconds: values });
const failures = (values: string) => ({ derms_audit_failures_total: values });

export const audit: readonly AlertCase[] = [
  {
    ...{ alert: 'DermsAuditNotSealed', series: lag('0 60+60x30'), fires: true, atMinute: 10 },
    says: 'Audit entries are not sealed since 10m 0s.',
  },
  { alert: 'DermsAuditNotSealed', series: lag('0 2 1 0 2 1 2 1 0 1 2 1'), fires: false, atMinute: 10 },
  {
    // Head signed at 0: two hours and five minutes later nobody has signed another.
    ...{ alert: 'DermsAuditNotSigned', series: head('0x300'), fires: true, atMinute: 130 },
    says: 'The end of the audit chain is not signed since 2h 10m 0s.',
  },
  { alert: 'DermsAuditNotSigned', series: head('0+60x300'), fires: false, atMinute: 130 },
  {
    ...{ alert: 'DermsAuditNotWritten', series: failures('0x5 3x30'), fires: true, atMinute: 10 },
    says: 'Refused attempts that could not be written to the audit log: 6.',
  },
  { alert: 'DermsAuditNotWritten', series: failures('7x40'), fires: false, atMinute: 30 },
];
