/** Drills by name: as in commands, rows and labels of metrics. */
export const DRILL_NAMES = ['postgres-failover', 'mqtt-failover', 'worker-crash'] as const;
export type DrillName = (typeof DRILL_NAMES)[number];
