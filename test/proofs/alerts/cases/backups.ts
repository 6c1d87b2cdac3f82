import type { AlertCase, Series } from '../alert-case';

const HOUR = 3_600;
const verified = (kind: string, values: string | readonly [string, string]): Series => ({
  [`derms_backup_last_verified_timestamp_seconds{kind="${kind}"}`]: values,
});
const failures = (values: string) => ({ derms_backup_verification_failures_total: values });
const drill = (passed: string, last = '600x200'): Series => ({
  'derms_drill_last_passed{drill="mqtt-failover"}': passed,
  'derms_drill_last_timestamp_seconds{drill="mqtt-failover"}': last,
});
const passedAt = (values: string): Series => ({
  'derms_drill_last_passed_timestamp_seconds{drill="mqtt-failover"}': values,
});
const silence = (values: string | readonly [string, string]): Series => ({
  'derms_drill_silence_until_timestamp_seconds{job="mqtt-failover-drill"}': values,
});
const notStored = (values: string) => ({ derms_deletions_not_stored: values });
/** Values each half hour over 40 days. */
const LONG = { everyMinutes: 30 };

export const backups: readonly AlertCase[] = [
  {
    // Taken at one o'clock; a replica that cannot read the database says 0.
    ...{ alert: 'DermsBackupTooOld', series: verified('dump', [`${String(HOUR)}x100`, '0x100']), fires: true, ...LONG },
    ...{ atMinute: 28 * 60, labels: { kind: 'dump' } },
    says: 'The newest verified backup of kind dump is 1d 3h 0m 0s old.',
  },
  {
    alert: 'DermsBackupTooOld',
    series: verified('dump', '3600x40 90000x60'),
    fires: false,
    atMinute: 28 * 60,
    ...LONG,
  },
  // The first night is still to come.
  { alert: 'DermsBackupTooOld', series: verified('dump', '0x100'), fires: false, atMinute: 28 * 60, ...LONG },
  {
    ...{ alert: 'DermsBackupVerificationFailed', series: failures('2x10 3x60'), fires: true, atMinute: 20 },
    says: 'Stored backups that did not pass their verification within the last hour: 1.',
  },
  {
    ...{ alert: 'DermsDeletionsNotStored', series: notStored('0x5 3x40'), fires: true, atMinute: 30 },
    says: '3 deletions are not in the storage of the backups: a restore would bring back what they took away.',
  },
  { alert: 'DermsDeletionsNotStored', series: notStored('0x5 3x10 0x40'), fires: false, atMinute: 30 },
  { alert: 'DermsBackupVerificationFailed', series: failures('2x100'), fires: false, atMinute: 90 },
  {
    ...{ alert: 'DermsDrillFailed', series: drill('1x10 0x60'), fires: true, atMinute: 30 },
    labels: { drill: 'mqtt-failover' },
    says: 'The newest mqtt-failover drill, of 1970-01-01 00:10:00 +0000 UTC, has failed.',
  },
  { alert: 'DermsDrillFailed', series: drill('0x10 1x60'), fires: false, atMinute: 30 },
  // There was none yet.
  { alert: 'DermsDrillFailed', series: drill('0x60', '0x60'), fires: false, atMinute: 30 },
  {
    ...{ alert: 'DermsDrillOverdue', series: passedAt('86400x2000'), fires: true, ...LONG, atMinute: 37 * 1_440 },
    labels: { drill: 'mqtt-failover' },
    says: 'The last mqtt-failover drill that passed was 36d 0h 0m 0s ago; it is to be done every month.',
  },
  { alert: 'DermsDrillOverdue', series: passedAt('86400x2000'), fires: false, ...LONG, atMinute: 35 * 1_440 },
  {
    ...{ alert: 'DermsDrillUnderWay', series: silence(['0x5 480x30', '0x40']), fires: true, atMinute: 6 },
    labels: { job: 'mqtt-failover-drill' },
    says: 'mqtt-failover-drill breaks a part on purpose; its alerts keep quiet for another 2m 0s.',
  },
  // Its leave has run out, though the drill has not ended.
  { alert: 'DermsDrillUnderWay', series: silence('0x5 480x30'), fires: false, atMinute: 8 },
  { alert: 'DermsDrillUnderWay', series: silence('0x40'), fires: false, atMinute: 8 },
];
