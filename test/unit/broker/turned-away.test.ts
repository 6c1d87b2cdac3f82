import { createTurnedAwayCount } from '../../../broker/turned-away';
import { createLogger } from '../../../observability/logger';
import { Registry } from '../../../observability/metrics';

const silent = createLogger({ service: 'derms', role: 'test', level: 'silent', pretty: false });

it('clients that come under many names share one in the metrics, and each is told of once a minute', async () => {
  const registry = new Registry();
  const told: unknown[] = [];
  const log = { ...silent, warn: (fields: unknown) => told.push(fields) } as unknown as typeof silent;
  let now = 0;
  const count = createTurnedAwayCount({ registry, log, monotonicMs: () => now });

  for (let index = 0; index < 1_000; index += 1)
    count({ client: `pv-${String(index)}`, what: 'publish', topic: 'der/telemetry/pv/other' });
  count({ client: 'no id at all', what: 'publish', topic: null });
  for (let index = 0; index < 3; index += 1) count({ client: 'pv-0', what: 'publish', topic: 'again' });
  const text = await registry.metrics();

  expect(text.match(/^derms_broker_turned_away_total\{/gm)).toHaveLength(101);
  expect(text).toContain('derms_broker_turned_away_total{client="pv-0",what="publish"} 4');
  expect(text).toContain('derms_broker_turned_away_total{client="(others)",what="publish"} 901');
  expect(told).toHaveLength(101);
  now = 60_000;
  count({ client: 'pv-0', what: 'publish', topic: 'later' });
  expect(told.at(-1)).toEqual({ deviceId: 'pv-0', what: 'publish', topic: 'later', unsaid: 3 });
});
