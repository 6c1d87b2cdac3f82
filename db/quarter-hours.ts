/**
 * Samples by quarters of an hour, the same wherever they are summed: when a day is closed, and while its samples are
 * still there. First and last are by the time of the sample.
 */
export const QUARTER_AT = (at: string): string => `date_bin('15 minutes', ${at}, timestamptz 'epoch')`;

const firstOf = (column: string): string =>
  `(array_agg(${column} order by sampled_at) filter (where ${column} is not null))[1]`;
const lastOf = (column: string): string =>
  `(array_agg(${column} order by sampled_at desc) filter (where ${column} is not null))[1]`;

export const TELEMETRY_SUM_COLUMNS = `samples, online_samples, fault_samples, mean_kw, min_kw, max_kw, energy_first_kwh,
  energy_last_kwh, soc_first, soc_last, voltage_min_v, voltage_max_v`;
export const TELEMETRY_SUMS = `count(*)::integer as samples, (count(*) filter (where online))::integer as online_samples,
  count(fault_code)::integer as fault_samples, avg(power_kw)::real as mean_kw, min(power_kw)::real as min_kw,
  max(power_kw)::real as max_kw, ${firstOf('energy_kwh')} as energy_first_kwh, ${lastOf('energy_kwh')} as energy_last_kwh,
  ${firstOf('soc')}::real as soc_first, ${lastOf('soc')}::real as soc_last, min(voltage_v)::real as voltage_min_v,
  max(voltage_v)::real as voltage_max_v`;

export const METER_SUM_COLUMNS = 'samples, mean_kw, min_kw, max_kw';
export const METER_SUMS = `count(*)::integer as samples, avg(flow_kw)::real as mean_kw, min(flow_kw)::real as min_kw,
  max(flow_kw)::real as max_kw`;
