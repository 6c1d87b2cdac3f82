import type { Settings } from '../config/schema';

type Role = Settings['WORKER_ROLES'][number];

/** The parent has the first port, then the roles in this order, whichever of them run. */
const PORT_ORDER: readonly Role[] = ['control', 'jobs', 'ingest', 'broker-agent'];

/** Of a worker that was told `base` (METRICS_PORT or TEMPORAL_METRICS_PORT). Port 0 (any free one) stays 0. */
export const portOfRole = (base: number, role: Role): number => (base === 0 ? 0 : base + PORT_ORDER.indexOf(role) + 1);
