import { createLogger } from '../../../observability/logger';
import { Registry } from '../../../observability/metrics';
import { tellStorageRules } from '../../../worker/storage-rules';

const world = () => {
  const registry = new Registry();
  const log = createLogger({ service: 'derms', role: 'test', level: 'silent', pretty: false });
  const warned: unknown[] = [];
  log.warn = (fields: unknown) => warned.push(fields);
  return { registry, log, warned };
};

describe('what the store of the backups enforces', () => {
  it('is a metric by rule, and a warning where it does not', async () => {
    const { registry, log, warned } = world();
    const checks = [
      { rule: 'tls-only', enforced: true, detail: 'denied without TLS' },
      { rule: 'object-lock', enforced: false, detail: 'not configured' },
    ] as const;
    await tellStorageRules(() => Promise.resolve(checks), { log, registry });
    const page = await registry.metrics();
    expect(page).toContain('derms_backup_storage_rule_enforced{rule="tls-only"} 1');
    expect(page).toContain('derms_backup_storage_rule_enforced{rule="object-lock"} 0');
    expect(warned).toEqual([{ rule: 'object-lock', detail: 'not configured' }]);
  });

  it('is a warning when it cannot be looked at, and the role starts all the same', async () => {
    const { registry, log, warned } = world();
    await tellStorageRules(() => Promise.reject(new Error('no answer')), { log, registry });
    expect(warned).toHaveLength(1);
  });
});
