import { join } from 'node:path';
import { repositoryRoot } from '../../../local/toolchain';
import { checkFiring, type AlertCase } from './firing';
import { promtool } from './promtool';

const RULES = join(repositoryRoot(), 'deploy/prometheus/audit.yml');
const CASES: readonly AlertCase[] = [
  { alert: 'DermsAuditNotSealed', series: lag('0 60+60x30'), fires: true, atMinute: 10 },
  { alert: 'DermsAuditNotSealed', series: lag('0 2 1 0 2 1 2 1 0 1 2 1'), fires: false, atMinute: 10 },
  // Head signed at 0: two hours and five minutes later nobody has signed another.
  { alert: 'DermsAuditNotSigned', series: head('0x300'), fires: true, atMinute: 130 },
  { alert: 'DermsAuditNotSigned', series: head('0+60x300'), fires: false, atMinute: 130 },
  { alert: 'DermsAuditNotWritten', series: failures('0x5 3x30'), fires: true, atMinute: 10 },
  { alert: 'DermsAuditNotWritten', series: failures('7x40'), fires: false, atMinute: 30 },
];

function lag(values: string): AlertCase['series'] {
  return [['derms_audit_sealed_lag_seconds', values]];
}
function head(values: string): AlertCase['series'] {
  return [['derms_audit_head_timestamp_seconds', values]];
}
function failures(values: string): AlertCase['series'] {
  return [['derms_audit_failures_total', values]];
}

it('the alerts of the audit log are rules', async () => {
  expect(await promtool('check', 'rules', RULES)).toContain('SUCCESS');
});

it.each(CASES)('$alert fires: $fires', (alertCase) => checkFiring(RULES, alertCase));
