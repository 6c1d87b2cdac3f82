import type { AlertCase, Series } from '../alert-case';

const DAY = 86_400;
const age = (days: number, secret = 'DB_PASSWORD'): Series => ({
  [`derms_secret_age_seconds{secret="${secret}"}`]: `${String(days * DAY)}x400`,
});
/** For six hours; there is no shorter way to write it. */
const UNKNOWN = 'NaN '.repeat(400).trimEnd();
const ages = (values: string | readonly [string, string]): Series => ({
  'derms_secret_age_seconds{secret="JWT_SECRET"}': values,
});
const left = (days: number): Series => ({
  'derms_certificate_days_left{certificate="mqtt-client"}': `${String(days)}x100`,
});
const usable = (values: string): Series => ({ 'derms_certificate_usable{certificate="api"}': values });
const logins = (outcome: string, values: string): Series => ({ [`derms_logins_total{outcome="${outcome}"}`]: values });
const tokens = (reason: string, values: string): Series => ({
  [`derms_auth_tokens_refused_total{reason="${reason}"}`]: values,
});
const list = (values: string | readonly [string, string]): Series => ({ derms_auth_token_list_age_seconds: values });

export const access: readonly AlertCase[] = [
  {
    ...{ alert: 'DermsSecretDue', series: age(76), fires: true, atMinute: 90 },
    labels: { secret: 'DB_PASSWORD' },
    says: 'DB_PASSWORD is 76 days old; it is to be changed before it is 90.',
  },
  { alert: 'DermsSecretDue', series: age(75), fires: false, atMinute: 90 },
  { alert: 'DermsSecretDue', series: age(91), fires: false, atMinute: 90 },
  {
    ...{ alert: 'DermsSecretOverdue', series: age(91), fires: true, atMinute: 90 },
    labels: { secret: 'DB_PASSWORD' },
    says: 'DB_PASSWORD is 91 days old: it was to be changed before it was 90.',
  },
  { alert: 'DermsSecretOverdue', series: age(90), fires: false, atMinute: 90 },
  // One secret of several is enough, and the others say nothing.
  { alert: 'DermsSecretOverdue', series: { ...age(91), ...age(3, 'JWT_SECRET') }, fires: true, atMinute: 90 },
  {
    ...{ alert: 'DermsSecretUndated', series: ages(UNKNOWN), fires: true, atMinute: 370 },
    labels: { secret: 'JWT_SECRET' },
    says: 'Nobody knows how old JWT_SECRET is.',
  },
  { alert: 'DermsSecretUndated', series: ages([UNKNOWN, '864000x400']), fires: false, atMinute: 370 },
  {
    ...{ alert: 'DermsCertificateRunsOut', series: left(20), fires: true, atMinute: 90 },
    labels: { certificate: 'mqtt-client' },
    says: 'The certificate mqtt-client runs out within days: 20.0.',
  },
  { alert: 'DermsCertificateRunsOut', series: left(21), fires: false, atMinute: 90 },
  { alert: 'DermsCertificateRunsOut', series: left(4), fires: false, atMinute: 90 },
  {
    ...{ alert: 'DermsCertificateRunsOutNow', series: left(4), fires: true, atMinute: 10 },
    labels: { certificate: 'mqtt-client' },
    says: 'The certificate mqtt-client is about to run out; days left: 4.0.',
  },
  { alert: 'DermsCertificateRunsOutNow', series: left(-1), fires: true, atMinute: 10 },
  { alert: 'DermsCertificateRunsOutNow', series: left(5), fires: false, atMinute: 10 },
  {
    ...{ alert: 'DermsCertificateUnusable', series: usable('1x5 0x60'), fires: true, atMinute: 25 },
    labels: { certificate: 'api' },
    says: 'What lies on disk as the certificate api cannot be used; a restart would fail.',
  },
  // Found half written, and whole at the next look.
  { alert: 'DermsCertificateUnusable', series: usable('1x5 0 1x60'), fires: false, atMinute: 25 },
  {
    ...{ alert: 'DermsLoginsRefused', series: logins('refused', '0+10x60'), fires: true, atMinute: 20 },
    says: '200 log-ins were refused within ten minutes: somebody is guessing.',
  },
  { alert: 'DermsLoginsRefused', series: logins('delayed', '0+10x60'), fires: true, atMinute: 20 },
  // An office on Monday morning.
  { alert: 'DermsLoginsRefused', series: logins('refused', '0+1x60'), fires: false, atMinute: 20 },
  { alert: 'DermsLoginsRefused', series: logins('accepted', '0+10x60'), fires: false, atMinute: 20 },
  {
    ...{ alert: 'DermsTokensRevokedUsed', series: tokens('revoked', '0+2x120'), fires: true, atMinute: 100 },
    says: 'Tokens that were revoked are still being tried: 120 times within half an hour.',
  },
  // Consoles that were open when all tokens were revoked.
  { alert: 'DermsTokensRevokedUsed', series: tokens('revoked', '0x5 40x120'), fires: false, atMinute: 100 },
  {
    ...{ alert: 'DermsTokensUnknown', series: tokens('unknown', '0+10x60'), fires: true, atMinute: 20 },
    labels: { reason: 'unknown' },
    says: '200 requests within ten minutes came with a token that is none of ours (unknown).',
  },
  { alert: 'DermsTokensUnknown', series: tokens('machine', '0+10x60'), fires: true, atMinute: 20 },
  { alert: 'DermsTokensUnknown', series: tokens('expired', '0+10x60'), fires: false, atMinute: 20 },
  {
    ...{ alert: 'DermsTokenListOld', series: list('2x5 60+60x30'), fires: true, atMinute: 15 },
    says: 'A replica of the API has not read the list of revoked tokens for 10m 0s.',
  },
  { alert: 'DermsTokenListOld', series: list(['2x40', '3x40']), fires: false, atMinute: 15 },
];
