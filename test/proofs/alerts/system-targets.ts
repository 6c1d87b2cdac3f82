import { METRICS_OFFSETS, WORKER_ROLES } from '../../../local/ports';
import type { TestSystem } from '../../../local/test-system';
import type { Target } from './quick-copies';

/** Every process of a test system, under the job names that deploy/prometheus/README.md asks for. */
export function targetsOf({ apiUrl, ports }: TestSystem): readonly Target[] {
  const at = (offset: number): string => `127.0.0.1:${String(ports.metrics + offset)}`;
  return [
    { job: 'derms-api', address: new URL(apiUrl).host },
    { job: 'derms-worker', address: at(METRICS_OFFSETS.worker) },
    ...WORKER_ROLES.map((role, index) => ({ job: `derms-${role}`, address: at(METRICS_OFFSETS.worker + 1 + index) })),
    // Of control and jobs; the ingest runs no workflows.
    ...[1, 2].map((index) => ({ job: 'derms-temporal-sdk', address: at(METRICS_OFFSETS.workerSdk + index) })),
  ];
}
