import type { Logger } from '../observability/logger';
import { Gauge, type Registry } from '../observability/metrics';
import type { StorageRuleCheck } from '../storage/bucket-check';

/**
 * Looks once, beside the start, which rules the store of the backups enforces by itself: a warning for each that it does
 * not, and `derms_backup_storage_rule_enforced{rule}`. Backups are taken all the same.
 */
export async function tellStorageRules(
  check: () => Promise<readonly StorageRuleCheck[]>,
  { log, registry }: { readonly log: Logger; readonly registry: Registry },
): Promise<void> {
  const gauge = new Gauge({
    name: 'derms_backup_storage_rule_enforced',
    help: 'Whether the store of the backups enforces the rule by itself (1) or not (0); looked at when the role starts.',
    labelNames: ['rule'],
    registers: [registry],
  });
  try {
    for (const { rule, enforced, detail } of await check()) {
      gauge.set({ rule }, enforced ? 1 : 0);
      if (!enforced)
        log.warn({ rule, detail }, 'the store of the backups does not enforce a rule; see deploy/storage/');
    }
  } catch (err) {
    log.warn({ err }, 'what the store of the backups enforces could not be looked at');
  }
}
