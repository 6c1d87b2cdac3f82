import { tryRuleFile } from './rule-file';

const lag = (values: string) => ({ derms_audit_sealed_lag_seconds: values });
const head = (values: string) => ({ derms_audit_head_timestamp_seconds: values });
const failures = (values: string) => ({ derms_audit_failures_total: values });

tryRuleFile('audit.yml', [
  { alert: 'DermsAuditNotSealed', series: lag('0 60+60x30'), fires: true, atMinute: 10 },
  { alert: 'DermsAuditNotSealed', series: lag('0 2 1 0 2 1 2 1 0 1 2 1'), fires: false, atMinute: 10 },
  // Head signed at 0: two hours and five minutes later nobody has signed another.
  { alert: 'DermsAuditNotSigned', series: head('0x300'), fires: true, atMinute: 130 },
  { alert: 'DermsAuditNotSigned', series: head('0+60x300'), fires: false, atMinute: 130 },
  { alert: 'DermsAuditNotWritten', series: failures('0x5 3x30'), fires: true, atMinute: 10 },
  { alert: 'DermsAuditNotWritten', series: failures('7x40'), fires: false, atMinute: 30 },
]);
