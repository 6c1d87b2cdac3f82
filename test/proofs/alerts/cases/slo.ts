import type { AlertCase, Series } from '../alert-case';

/** A loop of ten seconds, by what becomes of its ticks. */
const ticks = (onTime: string, missed: string): Series => ({
  'derms_control_ticks_total{feeder="north",outcome="on-time"}': onTime,
  'derms_control_ticks_total{feeder="north",outcome="missed"}': missed,
});
const down = (values: string): Series => ({ 'derms_db_up{role="api"}': values });

const FAST =
  '20% of the ticks of control loops are late or missed; 0.1% may be. At this pace the budget of a month is gone within days.';

export const slo: readonly AlertCase[] = [
  {
    // Two of each ten for the whole hour: 200 times the pace that lasts a month.
    ...{ alert: 'DermsControlBudgetBurnsFast', series: ticks('0+8x90', '0+2x90'), fires: true, atMinute: 70 },
    says: FAST,
  },
  // A bad minute an hour ago is over; one bad tick is no pattern.
  { alert: 'DermsControlBudgetBurnsFast', series: ticks('0+6x20 120+6x90', '0x20 6x90'), fires: false, atMinute: 70 },
  { alert: 'DermsControlBudgetBurnsFast', series: ticks('0+6x90', '0x60 1x30'), fires: false, atMinute: 65 },
  // The database was away for ten minutes: that was paged, and is over.
  {
    ...{ alert: 'DermsControlBudgetBurnsFast', fires: false, atMinute: 63 },
    series: { ...ticks('0+6x48 294x10 294+6x40', '0x49 0+6x10 60x40'), ...down('1x48 0x10 1x40') },
  },
  // The same without anybody having been told.
  {
    ...{ alert: 'DermsControlBudgetBurnsFast', fires: true, atMinute: 63 },
    series: ticks('0+6x48 294x10 294+6x40', '0x49 0+6x10 60x40'),
    says: FAST.replace('20%', '16.95%'),
  },
  {
    // Four in a thousand, for a day.
    ...{ alert: 'DermsControlBudgetBurnsSlowly', fires: true, atMinute: 1_500, everyMinutes: 15 },
    series: ticks('0+996x200', '0+4x200'),
    says: '0.4% of the ticks of control loops are late or missed over days; 0.1% may be.',
  },
  {
    ...{ alert: 'DermsControlBudgetBurnsSlowly', fires: false, atMinute: 1_500, everyMinutes: 15 },
    series: ticks('0+9995x200', '0+5x200'),
  },
];
