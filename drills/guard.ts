import type { MetricsPage } from './metrics-page';

/** What a drill must not meet. */
export interface GuardFacts {
  readonly deployment: 'development' | 'staging' | 'production';
  /** `DRILLS_IN_PRODUCTION`. */
  readonly allowedInProduction: boolean;
  /** Dispatches that are active, or begin before the drill would be over. */
  readonly liveDispatches: readonly string[];
  /** The real `/metrics`; a sentence when they cannot be had. */
  readonly metrics: MetricsPage | string;
}

/** What each of these gauges shows while nothing is wrong. */
const CALM = [
  { gauge: 'derms_db_up', calm: 1, fault: 'PostgreSQL does not answer' },
  { gauge: 'derms_mqtt_up', calm: 1, fault: 'the MQTT broker does not answer' },
  { gauge: 'derms_temporal_up', calm: 1, fault: 'Temporal does not answer' },
  { gauge: 'derms_emergency_stop', calm: 0, fault: 'an emergency stop is in force' },
  { gauge: 'derms_quarantined', calm: 0, fault: 'the database is quarantined' },
] as const;

/** Why a drill must not begin now, a sentence each; none: nothing speaks against it. */
export function refusals({ deployment, allowedInProduction, liveDispatches, metrics }: GuardFacts): readonly string[] {
  return [
    ...(deployment === 'production' && !allowedInProduction
      ? ['this is production, and DRILLS_IN_PRODUCTION is not true']
      : []),
    ...(liveDispatches.length > 0 ? [`dispatches are under way or about to begin: ${liveDispatches.join(', ')}`] : []),
    ...(typeof metrics === 'string' ? [`the metrics cannot be read: ${metrics}`] : incidents(metrics)),
  ];
}

function incidents(page: MetricsPage): readonly string[] {
  const late = page.having('derms_control_loop_ok', 0);
  return [
    ...CALM.flatMap(({ gauge, calm, fault }) => {
      const value = page.sum(gauge);
      if (value === undefined) return [`${gauge} is not among the metrics`];
      return value === calm ? [] : [`an incident is open: ${fault} (${gauge} ${String(value)})`];
    }),
    ...(late.length > 0 ? [`an incident is open: control loops are late (${late.join(', ')})`] : []),
  ];
}
