import type { Route } from '../route';
import { auditRoutes } from './audit';
import { backupRoutes } from './backups';
import { controlLoopRoutes } from './control-loop';
import { deviceRoutes } from './devices';
import { dispatchRoutes } from './dispatches';
import { envelopeRoutes } from './envelopes';
import { feederSeriesRoutes } from './feeder-series';
import { feederRoutes } from './feeders';
import { healthRoutes } from './health';
import { jobRoutes } from './jobs';
import { loginRoutes } from './login';
import { planRoutes } from './plans';
import { emergencyStopRoutes } from './emergency-stop';
import { quarantineRoutes } from './quarantine';
import { recordRoutes } from './records';
import { registryRoutes } from './registry';
import { runRoutes } from './runs';
import { scheduleRoutes } from './schedules';
import { tokenRoutes } from './tokens';

/** The whole API. What stands here is served, checked, audited and documented; what does not, is not. */
export const routes: readonly Route[] = [
  ...feederRoutes,
  ...feederSeriesRoutes,
  ...envelopeRoutes,
  ...planRoutes,
  ...controlLoopRoutes,
  ...dispatchRoutes,
  ...deviceRoutes,
  ...jobRoutes,
  ...runRoutes,
  ...scheduleRoutes,
  ...registryRoutes,
  ...backupRoutes,
  ...emergencyStopRoutes,
  ...quarantineRoutes,
  ...recordRoutes,
  ...auditRoutes,
  ...loginRoutes,
  ...tokenRoutes,
  ...healthRoutes,
];
