import { proxyActivities } from '@temporalio/workflow';
import type { MaintenanceActivities } from '../activities/maintenance';

const { maintainTimeSeries: maintain } = proxyActivities<MaintenanceActivities>({
  startToCloseTimeout: '10m',
  scheduleToCloseTimeout: '50m',
  retry: { initialInterval: '10s', maximumInterval: '5m' },
});

/** Each hour: makes the daily partitions ahead and removes those past their time. */
export async function maintainTimeSeries(): Promise<void> {
  await maintain();
}
