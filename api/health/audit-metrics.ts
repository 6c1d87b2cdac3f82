import type { AuditFigures } from '../../db/audit-chain';
import { Gauge, type Registry } from '../../observability/metrics';
import { readAtScrape } from './at-scrape';

const NONE: AuditFigures = { unsealedEntries: 0, sealedLagSeconds: 0, lastHeadSeconds: 0 };

/** Whether the chain over the audit log keeps up with what is written. */
export function registerAuditMetrics(
  registry: Registry,
  read: () => Promise<AuditFigures>,
  monotonicMs: () => number,
): void {
  const figures = readAtScrape(read, NONE, monotonicMs);
  const gauge = (name: string, help: string, of: (figures: AuditFigures) => number): void => {
    new Gauge({
      name,
      help,
      registers: [registry],
      async collect() {
        this.set(of(await figures()));
      },
    });
  };
  gauge(
    'derms_audit_unsealed_entries',
    'Audit entries that are not chained yet.',
    ({ unsealedEntries }) => unsealedEntries,
  );
  gauge(
    'derms_audit_sealed_lag_seconds',
    'Age of the oldest audit entry that is not chained yet; 0 while there is none.',
    ({ sealedLagSeconds }) => sealedLagSeconds,
  );
  gauge(
    'derms_audit_head_timestamp_seconds',
    'When the end of the audit chain was last signed; 0 while it never was.',
    ({ lastHeadSeconds }) => lastHeadSeconds,
  );
}
