import type { AlertCase, Series } from '../alert-case';

const FEEDER = { feeder: 'elm-street' };
const of = (name: string, values: string | readonly [string, string]): Series => ({
  [`${name}{feeder="elm-street"}`]: values,
});
const ok = (values: string | readonly [string, string]) => of('derms_control_loop_ok', values);
const ticks = (outcome: string, values: string) => ({
  [`derms_control_ticks_total{feeder="elm-street",outcome="${outcome}"}`]: values,
});
/** Limits of 100 kW import and 50 kW export: 2.1 kW are tolerated. */
const LIMITS = { ...of('derms_feeder_upper_limit_kw', '100x60'), ...of('derms_feeder_lower_limit_kw', '-50x60') };
const within = (name: string, values: string): Series => ({ ...LIMITS, ...of(name, values) });
const devices = (offline: string) => ({
  ...of('derms_control_loop_devices', '40x60'),
  ...of('derms_control_loop_offline_devices', offline),
});
const setpoints = (outcome: string, values: string) => ({ [`derms_setpoints_total{outcome="${outcome}"}`]: values });

export const control: readonly AlertCase[] = [
  {
    ...{ alert: 'DermsControlLoopStalled', series: ok('1x5 0x30'), fires: true, atMinute: 9, labels: FEEDER },
    says: 'The control loop of elm-street has finished no cycle in time for three minutes (ok is 0).',
  },
  { alert: 'DermsControlLoopStalled', series: ok('1x5 0x30'), fires: false, atMinute: 8 },
  // One replica cannot read the database; the other one sees the loop run.
  { alert: 'DermsControlLoopStalled', series: ok(['0x40', '1x40']), fires: false, atMinute: 20 },
  {
    ...{ alert: 'DermsTicksMissed', fires: true, atMinute: 12, labels: FEEDER },
    series: { ...ticks('missed', '0x5 3x30'), ...ticks('late', '7x10 8x30'), ...ticks('on-time', '0+6x40') },
    says: '4 ticks of the control loop of elm-street were late or missed within a quarter of an hour.',
  },
  {
    ...{ alert: 'DermsTicksMissed', fires: false, atMinute: 12 },
    series: { ...ticks('missed', '5x5 6x30'), ...ticks('late', '7x40'), ...ticks('on-time', '0+6x40') },
  },
  {
    ...{ alert: 'DermsSetpointsNotAcknowledged', series: setpoints('failed', '0x5 4x30'), fires: true, atMinute: 12 },
    says: 'Setpoints that the broker did not acknowledge within ten minutes: 8.',
  },
  {
    ...{ alert: 'DermsSetpointsNotAcknowledged', fires: false, atMinute: 12 },
    series: { ...setpoints('failed', '9x40'), ...setpoints('acknowledged', '0+20x40') },
  },
  {
    ...{ alert: 'DermsLimitBroken', series: within('derms_limit_broken_kw', '0x5 4x30'), fires: true, atMinute: 8 },
    ...{ labels: FEEDER, says: 'elm-street is 4.0 kW over its limit in force.' },
  },
  // Within what a meter is allowed, and a peak that the next cycle has taken away.
  { alert: 'DermsLimitBroken', series: within('derms_limit_broken_kw', '0x5 2x30'), fires: false, atMinute: 20 },
  { alert: 'DermsLimitBroken', series: within('derms_limit_broken_kw', '0x5 9 0x30'), fires: false, atMinute: 8 },
  {
    ...{ alert: 'DermsLimitInfeasible', series: within('derms_infeasible_kw', '0x5 10x30'), fires: true, atMinute: 12 },
    ...{ labels: FEEDER, says: 'All the help below elm-street leaves it 10.0 kW off its limits.' },
  },
  { alert: 'DermsLimitInfeasible', series: within('derms_infeasible_kw', '0x5 10x4 0x30'), fires: false, atMinute: 12 },
  {
    ...{ alert: 'DermsDispatchUnderDelivering', fires: true, atMinute: 12, labels: FEEDER },
    series: within('derms_dispatch_undelivered_kw', '0x5 7x30'),
    says: 'elm-street is 7.0 kW off what a dispatch asks of it.',
  },
  {
    ...{ alert: 'DermsDispatchUnderDelivering', fires: true, atMinute: 12, labels: FEEDER },
    series: within('derms_dispatch_shortfall_kw', '0x5 7x30'),
    says: 'elm-street is 7.0 kW off what a dispatch asks of it.',
  },
  // Devices are on their way there when it begins.
  {
    ...{ alert: 'DermsDispatchUnderDelivering', fires: false, atMinute: 12 },
    series: within('derms_dispatch_undelivered_kw', '0x5 7 5 3 1 0x30'),
  },
  {
    ...{ alert: 'DermsMeterStale', series: of('derms_meter_stale', '0x5 1x30'), fires: true, atMinute: 12 },
    labels: FEEDER,
    says: 'The meter of elm-street is stale (1): what nobody controls there counts at its worst of the last hour.',
  },
  { alert: 'DermsMeterStale', series: of('derms_meter_stale', '0x5 1x3 0x30'), fires: false, atMinute: 12 },
  {
    ...{ alert: 'DermsDevicesOffline', series: devices('0x5 3x30'), fires: true, atMinute: 12, labels: FEEDER },
    says: 'Devices below elm-street that are offline: 3.',
  },
  { alert: 'DermsDevicesOffline', series: devices('0x5 3x4 0x30'), fires: false, atMinute: 12 },
  {
    ...{ alert: 'DermsManyDevicesOffline', series: devices('0x5 10x30'), fires: true, atMinute: 12, labels: FEEDER },
    says: '25% of the devices below elm-street are offline.',
  },
  { alert: 'DermsManyDevicesOffline', series: devices('0x5 8x30'), fires: false, atMinute: 12 },
  {
    ...{ alert: 'DermsDevicesNotFollowing', fires: true, atMinute: 20, labels: FEEDER },
    series: of('derms_not_following_devices', '0x5 2x30'),
    says: 'Devices below elm-street that do not follow their setpoints: 2.',
  },
  {
    ...{ alert: 'DermsDevicesNotFollowing', fires: false, atMinute: 20 },
    series: of('derms_not_following_devices', '0x5 2x8 0x30'),
  },
];
