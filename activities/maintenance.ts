export interface MaintenancePorts {
  /** Makes partitions ahead and removes those past their time; returns their names. */
  maintainTimeSeries(): Promise<{ readonly made: readonly string[]; readonly removed: readonly string[] }>;
}

/** The hands of the jobs queue. */
export const createMaintenanceActivities = (ports: MaintenancePorts) => ({
  maintainTimeSeries: () => ports.maintainTimeSeries(),
});

export type MaintenanceActivities = ReturnType<typeof createMaintenanceActivities>;
